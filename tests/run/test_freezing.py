"""A frozen part is held against the run only where nothing says that it is meant."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import examined, source

LINE = "    num_epochs, warmup_steps = 2, 10\n"
EMBEDDINGS = "    model.embed_tokens.requires_grad_(False)\n"
HEAD = "    model.lm_head.requires_grad_(False)\n"
ID = "optimizer/parameters-frozen"


@pytest.mark.parametrize(
    ("frozen", "severity"),
    [
        (EMBEDDINGS, "major"),
        ("    # the table stays frozen\n" + EMBEDDINGS, "minor"),
        ("    freeze_embeddings = True\n" + EMBEDDINGS, "info"),
        ("    # the head stays frozen\n" + HEAD, "major"),
    ],
)
def test_what_is_said_of_it(frozen: str, severity: str, tmp_path: Path) -> None:
    document = examined(source(Edit("sft_padded", LINE, frozen + LINE)), "sft_padded", tmp_path)
    assert [f.severity for f in document.findings if f.id == ID] == [severity]


def test_given_vectors_are_loaded(tmp_path: Path) -> None:
    """Pretrained vectors stay frozen by default, and may be of any size."""
    text = source(Edit("sft_padded", LINE, EMBEDDINGS + LINE))
    made = "self.embed_tokens = nn.Embedding(VOCAB_SIZE, hidden)"
    given = "self.embed_tokens = nn.Embedding.from_pretrained(torch.randn(VOCAB_SIZE, hidden))"
    assert text.count(made) == 1
    document = examined(text.replace(made, given), "sft_padded", tmp_path)
    assert [f.id for f in document.findings if f.severity in ("critical", "major")] == []


UNFROZEN = """
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Embedding(20, 16), nn.Linear(16, 16), nn.Linear(16, 20))
net[1].requires_grad_(False)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for update in range(40):
    if update == 36:
        net[1].requires_grad_(True)
    x = torch.randint(0, 20, (8, 12))
    loss = nn.functional.cross_entropy(net(x).flatten(0, 1), (3 * x % 20).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_unfrozen_after_the_last_census(tmp_path: Path) -> None:
    assert ID not in [f.id for f in examined(UNFROZEN, "unfrozen", tmp_path).findings]
    frozen = UNFROZEN.replace("(True)", "(False)")
    assert ID in [f.id for f in examined(frozen, "frozen", tmp_path).findings]
