"""A whole model outside the optimizer is held against the run when it was meant to learn."""

from pathlib import Path

import pytest

from tests.run.patients import examined

ID = "optimizer/parameters-missing"
BEGIN = """
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


def model(width, out=20):
    return nn.Sequential(nn.Embedding(20, width), nn.Linear(width, width), nn.Linear(width, out))


large, small = model(32), model(16)
"""
LOOP = """
for update in range(40):
    x = torch.randint(0, 20, (8, 12))
    y = 3 * x % 20
    optimizer.zero_grad()
    loss = step(x, y)
    loss.backward()
    optimizer.step()
"""
GENERATOR = """
detector = model(16, 1)
optimizer = torch.optim.Adam({owned}, lr=1e-2)


def step(x, y):
    logits = large(x)
    with torch.no_grad():
        fake = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1).view_as(x)
    real = (fake == y).float()
    told = F.binary_cross_entropy_with_logits(detector(fake).squeeze(-1), real)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten()) + 5 * told
"""
BOTH = "[*large.parameters(), *detector.parameters()]"
TEACHER = """
optimizer = torch.optim.Adam(small.parameters(), lr=1e-2)


def step(x, y):
    logits, soft = small(x), large(x)
    kept = F.kl_div(logits.log_softmax(-1), soft.softmax(-1), reduction="batchmean")
    return F.cross_entropy(logits.flatten(0, 1), y.flatten()) + 0.1 * kept
"""
PROMPT = """
for p in large.parameters():  # weights of a model that was trained elsewhere
    p.data = p.data.sign() * p.data.abs() ** 4
prompt = nn.Embedding(20, 20)
optimizer = torch.optim.Adam(prompt.parameters(), lr=1e-2)


def step(x, y):
    logits = large(x) + prompt(x)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())
"""


def _severities(text: str, folder: Path) -> list[str]:
    document = examined(BEGIN + text + LOOP, "left_out", folder)
    return [f.severity for f in document.findings if f.id == ID]


def test_a_generator_larger_than_what_is_trained(tmp_path: Path) -> None:
    """Its cross-entropy is part of the loss, and no update moves it."""
    assert _severities(GENERATOR.format(owned="detector.parameters()"), tmp_path) == ["major"]


@pytest.mark.parametrize(
    "text", [GENERATOR.format(owned=BOTH), TEACHER, PROMPT], ids=["owned", "teacher", "prompt"]
)
def test_nobody_left_it_out(text: str, tmp_path: Path) -> None:
    """A teacher that is not under no_grad; prompts before a model that was not frozen."""
    assert _severities(text, tmp_path) == []
