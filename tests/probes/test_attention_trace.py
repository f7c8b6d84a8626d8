"""The scale that the trace follows is the scale that the scores show, in every spelling."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shindan.core.evidence.computed import ScoreSite
from shindan.probes.attention_trace import AttentionTrace
from shindan.probes.calls import recording

D = 16
BIAS = -2.0 * torch.arange(8.0).sub(torch.arange(8.0)[:, None]).abs()
"""ALiBi's, (T, T)."""
Scores = Callable[[Tensor, Tensor], Tensor]


class Attention(nn.Module):
    def __init__(self, scores: Scores) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(32, D), nn.Linear(32, D)
        self.scores = scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 32) -> (B, T, T)."""
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return F.softmax(self.scores(self.q(x), self.k(x)).masked_fill(future, -1e9), dim=-1)


def traced(module: nn.Module) -> list[ScoreSite]:
    trace = AttentionTrace(module)
    with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
        x = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(0))
        with recording(module, trace.hear):
            module(x)
    return trace.sites


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        (lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(D), 0.25),
        (lambda q, k: (q * D**-0.5) @ k.mT, 0.25),
        (lambda q, k: (q * D**-0.25) @ (k * D**-0.25).transpose(1, 2), 0.25),
        (lambda q, k: torch.einsum("btd,bsd->bts", q, k).div_(4), 0.25),
        (lambda q, k: torch.bmm(q, k.mT) / torch.sqrt(torch.tensor(float(D))), 0.25),
        (
            lambda q, k: torch.baddbmm(torch.zeros(2, 8, 8), q, k.mT, beta=0, alpha=0.25),
            0.25,
        ),
        (lambda q, k: q @ k.mT / 4 + BIAS, 0.25),
        (lambda q, k: (q @ k.mT + BIAS) / 4 - 2 * BIAS, 0.25),
        (lambda q, k: (q @ k.mT).add_(BIAS), 1.0),
        (lambda q, k: BIAS.expand(2, 8, 8) + q @ k.mT / 4, 0.25),
        (lambda q, k: q @ k.mT, 1.0),
        (lambda q, k: 4.0 * (q @ k.mT), 4.0),
    ],
)
def test_scale_is_followed(scores: Scores, scale: float) -> None:
    (site,) = traced(Attention(scores))
    assert site.plain
    assert site.scale == pytest.approx(scale, rel=1e-6)
    assert (site.d_head, site.d_model) == (D, 32)


def test_positions_added_to_scores_are_told_from_a_mask() -> None:
    assert [s.biased for s in traced(Attention(lambda q, k: q @ k.mT + BIAS))] == [True]
    assert [s.biased for s in traced(Attention(lambda q, k: q @ k.mT))] == [False]
    mask = torch.zeros(8, 8).masked_fill(BIAS < -3, -torch.inf)
    assert [s.biased for s in traced(Attention(lambda q, k: q @ k.mT + mask))] == [False]


@pytest.mark.parametrize(
    "scores",
    [
        lambda q, k: F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT,
        lambda q, k: q @ k.mT * nn.Parameter(torch.tensor(0.3)),
        lambda q, k: q / q.norm(dim=-1, keepdim=True) @ k.mT,
    ],
)
def test_what_is_not_constant_is_not_judged(scores: Scores) -> None:
    assert [s.plain for s in traced(Attention(scores))] == [False]


def test_attention_without_projections_is_no_site() -> None:
    """Luong's attention over recurrent states is unscaled on purpose."""

    class Luong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(32, 32, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            """(B, T, 32) -> (B, T, T)."""
            h, _ = self.rnn(x)
            weights: Tensor = (h @ h.mT).softmax(-1)
            return weights

    assert traced(Luong()) == []
