"""Which position of the input each row of the loss came from, by equal numbers, not by names."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from shindan.probes.capture import LossSeen


@dataclass(eq=False)
class Alignment:
    """``rows[k]``: flat position (in the script's layout) that row k of the loss predicts from.

    ``certain`` is false when only the counts matched.
    """

    rows: Tensor
    certain: bool


def align(
    loss: "LossSeen",
    outputs: Sequence[tuple[str, tuple[int, ...], Tensor]],
    shape: tuple[int, ...],
) -> Alignment | None:
    """Match the loss's rows with the root's output rows, else by the number of rows."""
    n = loss.digest.shape[0]
    total = shape[0] * shape[1]
    for _, full, rows in outputs:
        if full[-1] == loss.shape[1] and rows.shape[0] == total:
            found = _by_value(loss.digest, rows, shape)
            if found is not None:
                return Alignment(found, True)
    for candidate in usual(shape, loss.digest.device):
        if len(candidate) == n:
            return Alignment(candidate, False)
    return None


SHIFTED = 0.5
"""Share of labels that must be shifted ids along axis 0 to call that axis time: labels of masked
tokens agree with neighbours by chance only, along either axis."""


def batch_first(ids: Tensor, labels: Tensor | None) -> bool:
    """True when labels are ids shifted (by 1 to 3) along axis 1 no worse than along axis 0."""
    if labels is None:
        return True
    best = []
    for x, y in ((ids, labels), (ids.T, labels.T)):
        counted = y != -100
        best.append(
            max(
                _agreement(x[:, lag:], y[:, : y.shape[1] - lag], counted[:, : y.shape[1] - lag])
                for lag in (1, 2, 3)
                if lag < x.shape[1]
            )
            if x.shape[1] > 1
            else 0.0
        )
    return best[1] < SHIFTED or best[0] >= best[1]


def _agreement(x: Tensor, y: Tensor, counted: Tensor) -> float:
    n = int(counted.sum())
    return float(((x == y) & counted).sum()) / n if n else 0.0


def usual(shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
    """All positions; all but the last; all but the first; along either axis."""
    grid = torch.arange(shape[0] * shape[1], device=device).reshape(shape)
    return [
        grid.reshape(-1),
        grid[:, :-1].reshape(-1),
        grid[:-1].reshape(-1),
        grid[:, 1:].reshape(-1),
        grid[1:].reshape(-1),
    ]


def _by_value(loss_rows: Tensor, output_rows: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    width = min(loss_rows.shape[1], output_rows.shape[1])
    a = loss_rows[:, :width].float()
    b = output_rows[:, :width].float()
    for candidate in usual(shape, b.device):
        if len(candidate) == len(a) and _close(a, b[candidate]):
            return candidate
    if len(a) > len(b):
        return None
    return _selected(a, b)


def _selected(a: Tensor, b: Tensor) -> Tensor | None:
    """Rows of ``b`` that are those of ``a``, in order: that tells equal rows of ``b`` apart."""
    where: dict[tuple[float, ...], list[int]] = {}
    for i, row in enumerate(b.tolist()):
        where.setdefault(tuple(row), []).append(i)
    found, last = [], -1
    for row in a.tolist():
        places = where.get(tuple(row))
        if not places:
            return None
        later = bisect_right(places, last)
        last = places[later] if later < len(places) else places[0]
        found.append(last)
    return torch.tensor(found, device=b.device)


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal up to a positive factor or a row-wise shift (temperature, log_softmax)."""
    if torch.allclose(a, b, rtol=1e-3, atol=1e-5):
        return True
    return torch.allclose(a - a[:, :1], b - b[:, :1], rtol=1e-3, atol=1e-4)
