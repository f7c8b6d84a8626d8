"""Next keys of log sessions: the loss is inside, the end is a label only, few rows are padded."""

from pathlib import Path

import pytest

from shindan.core.evidence.interventions import FutureProbe
from shindan.core.evidence.signal import SignalPath
from tests.run.patients import watched

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
PAD, END, T = 0, 2, 18
def batch():
    x, y = torch.zeros(8, T, dtype=torch.long), torch.zeros(8, T, dtype=torch.long)
    for row in range(8):
        n = T - 4 if row < 2 else T
        keys = torch.randint(5, 20, (n,))
        x[row, :n], y[row, :n] = keys, torch.cat([keys[1:], torch.tensor([END])])
    return x, y

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.place = nn.Embedding(20, 16), nn.Embedding(T, 16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 20)
        self.verdict = nn.Linear(16, 2)

    def forward(self, ids, labels):
        x = self.emb(ids) + self.place(torch.arange(ids.shape[1]))
        q, k, v = self.qkv(x).chunk(3, -1)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=CAUSAL)
        logs = self.head(x).log_softmax(-1).transpose(1, 2)
        loss = nn.functional.nll_loss(logs, labels, ignore_index=PAD)
        return {"logits": self.verdict(x.mean(1)), "loss": loss}

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(6):
    x, y = batch()
    loss = model(x, y)["loss"]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize("causal", [False, True])
def test_the_future_is_looked_for(causal: bool, tmp_path: Path) -> None:
    document, watch = watched(SCRIPT.replace("CAUSAL", str(causal)), "ends", tmp_path)
    assert document.failed == ()
    probe = watch.evidence[FutureProbe]
    assert isinstance(probe, FutureProbe)
    assert probe.lag == 1
    found = {f.id for f in document.findings if f.severity in ("critical", "major")}
    assert found == (set() if causal else {"model/future-leak"})


def test_the_last_look_hears_the_loss_inside(tmp_path: Path) -> None:
    _, watch = watched(SCRIPT.replace("CAUSAL", "True"), "ends", tmp_path)
    path = watch.evidence[SignalPath]
    assert isinstance(path, SignalPath)
    assert path.last > path.update
