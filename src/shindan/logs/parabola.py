"""A parabola over the logarithm of a setting: the usual reading of a sweep.

Losses over ln of the learning rate (or batch) are bowls; near the lowest point a parabola fits them
(Bjorck et al. 2025 for learning rates; Hoffmann et al. 2022 read their sizes so).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shindan.core.evidence.sweeps import Tried
from shindan.logs.table import Numbers


@dataclass(frozen=True)
class Parabola:
    """c0 + c1 u + c2 u^2, u = ln(value) - middle; ``spread`` (3, 3) is the coefficients'."""

    middle: float
    coefficients: Numbers
    spread: Numbers

    def between(self, one: float, other: float) -> tuple[float, float]:
        """The level at ``one`` less that at ``other``, and its standard error."""
        step = self._row(one) - self._row(other)
        return float(step @ self.coefficients), math.sqrt(
            max(float(step @ self.spread @ step), 0.0)
        )

    @property
    def lowest(self) -> float | None:
        """Where it has its lowest point; None where it has none."""
        _, slope, bend = self.coefficients
        return math.exp(self.middle - slope / (2 * bend)) if bend > 0 else None

    def _row(self, value: float) -> Numbers:
        u = math.log(value) - self.middle
        return np.array([1.0, u, u * u])


def parabola(tried: Sequence[Tried]) -> Parabola:
    """Through three values or more, each weighted by its error (all alike where one has none).

    What the points miss of the curve is error too, where there are more than three.
    """
    u = np.log([t.value for t in tried])
    y, error = np.array([t.level for t in tried]), np.array([t.error for t in tried])
    middle = float(u.mean())
    rows = np.stack([np.ones(len(u)), u - middle, (u - middle) ** 2], axis=1)
    known = bool((error > 0).all())
    weight = 1 / error**2 if known else np.ones(len(u))
    inverse = np.linalg.pinv(rows.T @ (rows * weight[:, None]))
    found = inverse @ (rows.T @ (weight * y))
    free = len(u) - 3
    off = float((weight * (y - rows @ found) ** 2).sum()) / free if free else 0.0
    spread = np.asarray(inverse * (max(1.0, off) if known else off), np.float64)
    return Parabola(middle, np.asarray(found, np.float64), spread)
