"""Where a run's loss ended up, and whether it still moved."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shindan.core.evidence.curve import Curve

LEAST = 24
"""Losses without which nothing is said."""


@dataclass(frozen=True)
class Plateau:
    """``level`` is the mean loss of the last quarter of the run, nats per label.

    ``drop`` is how much it fell from the third quarter to the last, ``error`` that difference's
    standard error (neighbouring losses taken as independent).
    """

    level: float
    drop: float
    error: float

    @property
    def flat(self) -> bool:
        """No fall beyond two standard errors, nor beyond a hundredth of a nat."""
        return self.drop <= max(0.01, 2.0 * self.error)


def plateau(curve: Curve) -> Plateau | None:
    """The end of the training losses, per label where known; None when there are too few."""
    losses = [m.ce if m.ce is not None else m.loss for m in curve.micro]
    finite = [v for v in losses if math.isfinite(v)]
    if len(finite) < LEAST or len(finite) < len(losses):
        return None
    quarter = len(finite) // 4
    before, last = finite[-2 * quarter : -quarter], finite[-quarter:]
    error = math.sqrt((_variance(before) + _variance(last)) / quarter)
    return Plateau(_mean(last), _mean(before) - _mean(last), error)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1)


def warming_up(curve: Curve) -> bool:
    """Was the learning rate still rising when the run ended?"""
    rates = [max(u.lr) for u in curve.updates if u.lr]
    return len(rates) >= LEAST and rates[-1] > 1.02 * rates[3 * len(rates) // 4]
