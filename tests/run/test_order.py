"""Next-token models that rotate, bias, or do without positions: only a scheme without effect."""

from pathlib import Path

import pytest

from tests.run.patients import examined

SCRIPT = """
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
V, T, D, H = 24, 20, 32, 4
first = torch.randint(V, (400, 1))
steps = torch.randint(2, (400, T)).cumsum(1)
train = torch.cat([first, (first + 5 * steps) % V], dim=1)


def tables(length):
    angles = torch.arange(length)[:, None] * 1e4 ** -(torch.arange(4) / 4)
    return angles.cos(), angles.sin()


def rotated(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Core(nn.Module):
    def forward(self, qkv, bias):  # (B, T, 3, H, d), turned already
        q, k, v = (t.transpose(1, 2) for t in qkv.unbind(2))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.core = nn.LayerNorm(D), Core()
        self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.slopes = 2.0 ** -torch.arange(1, H + 1)

    def forward(self, x, cos, sin):
        q, k, v = (t.unflatten(-1, (H, -1)) for t in self.qkv(self.norm(x)).chunk(3, -1))
        bias = torch.full((T, T), float("-inf")).triu(1)
        #MIX
        y = self.core(torch.stack([q, k, v], 2), bias).flatten(2)
        return x + self.out(y)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(V, D), nn.Linear(D, V)
        self.blocks = nn.ModuleList([Block(), Block()])
        for p in self.parameters():
            nn.init.normal_(p, std=0.02)

    def forward(self, ids):
        x, (cos, sin) = self.embed(ids), tables(T)
        for block in self.blocks:
            x = block(x, cos[:, None], sin[:, None])
        return self.head(x)


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(30):
    rows = train[torch.randint(400, (8,))]
    loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
ROTATED = "q, k = rotated(q, cos, sin), rotated(k, cos, sin)"
ALIBI = (
    "r = torch.arange(T)\n        bias = bias + self.slopes[:, None, None] * (r[None] - r[:, None])"
)
ON_HEADS = (
    "cos, sin = (t[:H] for t in tables(T))\n        "
    "q, k = rotated(q, cos, sin), rotated(k, cos, sin)"
)


@pytest.mark.parametrize(
    ("mix", "sick"),
    [
        (ROTATED, False),
        (ALIBI, False),
        ("pass  # NoPE", False),
        ("pass", True),
        (ON_HEADS, True),
    ],
)
def test_only_what_has_no_effect_is_told(mix: str, sick: bool, tmp_path: Path) -> None:
    document = examined(SCRIPT.replace("#MIX", mix), "ordered", tmp_path)
    told = [f.id for f in document.findings if f.severity in ("critical", "major")]
    assert told == (["model/positions-unused"] if sick else [])
