"""Log sessions of one length that end with one key several times over: nothing is padded there."""

from pathlib import Path

import pytest

from shindan.core.evidence.labels import LabelCensus
from tests.run.patients import watched

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
PAD_INDEX, END, LAST = 0, 2, 9
def batch(padded):
    ids = torch.randint(10, 20, (8, 16))
    for row, n in enumerate((2, 3, 2, 4, 3, 2, 2, 3)):
        ids[row, 16 - n:] = LAST
        if padded:
            ids[row, 16 - n + 1:] = PAD_INDEX
    return ids

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.head = nn.Embedding(20, 16), nn.Linear(16, 20)

    def forward(self, ids):
        return self.head(self.emb(ids))

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(12):
    x = batch(PADDED)
    y = torch.cat([x[:, 1:], torch.full_like(x[:, :1], END)], 1)
    logits = model(x).transpose(1, 2)
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize("padded", [False, True])
def test_a_named_padding_is_the_only_one(padded: bool, tmp_path: Path) -> None:
    document, watch = watched(SCRIPT.replace("PADDED", str(padded)), "ends", tmp_path)
    census = watch.evidence[LabelCensus]
    assert isinstance(census, LabelCensus)
    assert census.pad_id == (0 if padded else None)
    ids = {f.id for f in document.findings}
    assert ("data/padding-in-loss" in ids) is padded
