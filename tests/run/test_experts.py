"""A mixture of experts: how many tokens an expert gets changes from call to call."""

from pathlib import Path

from shindan.core.evidence.signal import SignalPath
from tests.run.patients import watched

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.gate = nn.Embedding(20, 16), nn.Linear(16, 3)
        self.experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, 20)

    def forward(self, ids):
        x = self.emb(ids).flatten(0, 1)
        weight, chosen = self.gate(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            at = (chosen == number).nonzero().squeeze(-1)
            out = out.index_add(0, at, expert(x[at]) * weight[at, None])
        return self.head(x + out).view(*ids.shape, -1)

model = Experts()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(12):
    x = torch.randint(0, 20, (3, 7))
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), (3 * x % 20).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_signal_is_followed_where_it_can_be_compared(tmp_path: Path) -> None:
    document, watch = watched(SCRIPT, "experts", tmp_path)
    assert document.failed == ()
    path = watch.evidence[SignalPath]
    assert isinstance(path, SignalPath)
    assert {"gate", "head"} <= {r.name for r in path.rows}
    assert path.head == "head"
    assert len(path.rows) < 5  # the experts that got other tokens are left out
