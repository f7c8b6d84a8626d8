"""Which output of which module a row of a loss is, by equal numbers: not by names.

``log_softmax(z / T)`` is ``z`` times ``1 / T`` plus a constant of the row; normalised or scaled
hidden states are their originals times a factor. Both are found by the correlation of a few
columns, which is exactly one for the right row and for hardly any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

COLUMNS = 16
LEAST_COLUMNS = 6
"""Below this many columns rows of different origin can be alike by chance."""
ROWS = 8
LEAVES = 48


@dataclass(eq=False)
class Digest:
    """First columns of every row of one output: (N, C) float64; ``width`` of the whole row."""

    owner: int
    rows: Tensor
    width: int
    grad: bool


def digested(owner: int, leaves: Iterable[tuple[str, Tensor]]) -> list[Digest]:
    """Digests of the floating-point leaves of an output that are wide enough."""
    found: list[Digest] = []
    for _, t in leaves:
        if len(found) == LEAVES:
            break
        if t.is_floating_point() and t.ndim >= 2 and t.shape[-1] >= LEAST_COLUMNS and t.numel():
            rows = t.detach()[..., :COLUMNS].reshape(-1, min(COLUMNS, t.shape[-1])).double()
            found.append(Digest(owner, rows, t.shape[-1], t.requires_grad))
    return found


def sampled_rows(t: Tensor) -> Tensor | None:
    """(ROWS, C) float64: the first columns of rows spread over ``t`` (..., V)."""
    if t.ndim < 2 or t.shape[-1] < LEAST_COLUMNS or not t.numel():
        return None
    count = t.numel() // t.shape[-1]
    pick = torch.linspace(0, count - 1, min(ROWS, count)).long().to(t.device)
    flat = t.detach().reshape(-1, t.shape[-1])
    return flat[pick, :COLUMNS].double()


def matched(rows: Tensor, output: Digest) -> tuple[Tensor, Tensor]:
    """(1 - r squared, factor) as device scalars: medians over ``rows`` of the best fits.

    ``rows`` is close to ``factor * output row + constant`` when the first is near zero.
    """
    c = min(rows.shape[1], output.rows.shape[1])
    a = rows[:, :c] - rows[:, :c].mean(1, keepdim=True)
    b = output.rows[:, :c] - output.rows[:, :c].mean(1, keepdim=True)
    dot = a @ b.T  # (R, N)
    aa, bb = (a * a).sum(1, keepdim=True), (b * b).sum(1)
    apart = 1.0 - dot * dot / (aa * bb)
    apart = torch.where((dot > 0) & apart.isfinite(), apart, 1.0)
    best = apart.min(1)
    factor = (dot / bb).gather(1, best.indices[:, None])[:, 0]
    return best.values.median(), factor.median()
