"""Batches that drift are a fault, unless the script speaks of why they do."""

from pathlib import Path

import pytest

from tests.run.patients import examined

SORTED = """
import torch
from torch import nn

# PLAN
torch.manual_seed(0)
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(40, 16), nn.Linear(16, 40)

    def forward(self, ids):
        return self.head(self.table(ids))

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
rows = (torch.arange(640)[:, None] // 20 + torch.randint(0, 6, (640, 13))) % 40
for at in range(0, 640, 16):
    x, y = rows[at : at + 16, :-1], rows[at : at + 16, 1:]
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("plan", "severity"),
    [("read the rows", "major"), ("a curriculum", "minor"), ("on-policy rollouts", "minor")],
)
def test_what_is_said_of_it(plan: str, severity: str, tmp_path: Path) -> None:
    document = examined(SORTED.replace("PLAN", plan), "ordered", tmp_path)
    found = [f.severity for f in document.findings if f.id == "data/not-shuffled"]
    assert found == [severity]
