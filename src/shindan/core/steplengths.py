"""What the step test says of the length of the steps."""

import statistics
from collections.abc import Iterator, Sequence

from shindan.core.evidence.curve import Curve
from shindan.core.evidence.steptest import StepPoint

HIGH = 0.5
"""Part of the peak LR from which a look counts: warm-up and the end of a decay say little."""
LOW = 0.05
STARTED = 5
"""Updates after which a start without warm-up no longer excuses."""
WASTED = 2.0
"""A whole step that gains less than twice its first tenth (ten times, were the loss straight).
Healthy runs of the patients measure 4 to 9, an LR thirty times too high 0.2 to 1.7."""
PROPORTIONAL = 7.0
"""A tenfold step that gains this many times the whole one: the loss is straight as far as that."""
NOTHING = 1e-6
RESOLVED = 4 * 2.0**-23
BARELY = 1e-3
"""Parts of the loss: what float32 can tell apart, and what a hundredfold step ought to gain."""


def at_height(points: Sequence[StepPoint], curve: Curve) -> list[StepPoint]:
    """The looks made at half of the peak LR or more."""
    peak = max((u.lr[0] for u in curve.updates if u.lr), default=0.0)
    return [p for p in points if p.lr >= HIGH * peak > 0]


def settled(points: Sequence[StepPoint], curve: Curve) -> list[StepPoint]:
    """The looks that may convict a high LR: not those of an abrupt start at full LR.

    A look during warm-up counts: what overshoots there does so all the more at the peak.
    """
    peak = max((u.lr[0] for u in curve.updates if u.lr), default=0.0)
    return [
        p for p in points if p.lr > LOW * peak > 0 and (p.update >= STARTED or p.lr < HIGH * peak)
    ]


def overshoots(point: StepPoint) -> bool:
    """A tenth of the step lowers the loss of its own batch, the rest gains little or loses."""
    tenth, whole = point.start - point.tenth, point.start - point.whole
    return tenth > NOTHING and whole < WASTED * tenth


def too_short(point: StepPoint) -> bool:
    """Ten times the step gains nearly ten times as much, a hundred times even more.

    Where the step itself is too short to show in the loss, the hundredfold one shows and is little.
    """
    whole, ten = point.start - point.whole, point.start - point.ten
    hundred = point.start - point.hundred
    if whole <= NOTHING:
        return RESOLVED * point.start < hundred < BARELY * point.start and ten >= -NOTHING
    return whole > NOTHING and ten >= PROPORTIONAL * whole and hundred > ten


def losses(curve: Curve) -> list[float]:
    """The loss of each micro-step: per counted label where it is known."""
    return [v for m in curve.micro if (v := m.loss if m.ce is None else m.ce) == v]


def tenths(curve: Curve) -> list[float]:
    """Medians of ten equal stretches of the loss; empty below twenty micro-steps."""
    return list(_stretches(losses(curve)))


def _stretches(values: Sequence[float]) -> Iterator[float]:
    length = len(values) // 10
    for i in range(10 if length >= 2 else 0):
        yield statistics.median(values[i * length : (i + 1) * length])
