"""A script that records its model as a graph while it trains (``SummaryWriter.add_graph``)."""

from pathlib import Path

from shindan.core.evidence.labels import Objective
from tests.run.patients import watched

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.head = nn.Embedding(20, 16), nn.Linear(16, 20)

    def forward(self, ids, labels):
        logits = self.head(self.emb(ids))
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
graphs = []
for _ in range(12):
    x = torch.randint(0, 20, (3, 9))
    loss = model(x[:, :-1], x[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    graphs.append(str(torch.jit.trace(model, (x[:, :-1], x[:, 1:])).inlined_graph))
assert len(set(graphs)) == 1, graphs
assert not any("clone" in g for g in graphs)
"""


def test_nothing_of_ours_is_in_the_users_graph(tmp_path: Path) -> None:
    document, watch = watched(SCRIPT, "recorded", tmp_path)
    assert document.failed == ()
    assert [f.id for f in document.findings if f.severity != "info"] == []
    objective = watch.evidence[Objective]
    assert isinstance(objective, Objective)
    assert objective.relation == "causal"
