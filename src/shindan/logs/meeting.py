"""Two runs where both had spent the same: their levels there, and how sure these are."""

import math
from collections.abc import Iterator

import numpy as np

from shindan.core.evidence.axes import AXES, Axis
from shindan.core.evidence.pairs import Meeting
from shindan.logs.noise import correlation, off_line
from shindan.logs.sides import Of, Run
from shindan.logs.table import Numbers

NEAR = 0.1
"""A point within this share of a budget stands for it; further away the curve is drawn between
its neighbours, straight over ln of what was spent."""
AROUND = 0.05
"""A noisy curve's level is the mean over this share of what was spent until there."""
MANY = 20
"""Points from which a curve is noisy rather than a table of evaluations."""


Level = tuple[float, float, float]
"""Where, the level, its standard error."""


def ends(a: Run, b: Run, of: Of) -> Meeting | None:
    """Both at their own ends."""
    levels = [end_of(run, of) for run in (a, b)]
    if levels[0] is None or levels[1] is None:
        return None
    (at_a, value_a, sd_a), (at_b, value_b, sd_b) = levels[0], levels[1]
    return Meeting("updates", max(at_a, at_b), value_a, value_b, at_a, at_b, math.hypot(sd_a, sd_b))


def meetings(a: Run, b: Run, of: Of) -> Iterator[Meeting]:
    """Both at the budget of the one that spent less, on every axis both are known on."""
    for axis in AXES:
        reach = a.reach(of, axis), b.reach(of, axis)
        if reach[0] is None or reach[1] is None:
            continue
        at = min(reach[0], reach[1])
        one, other = level_of(a, of, axis, at), level_of(b, of, axis, at)
        if one is not None and other is not None:
            error = math.hypot(one[2], other[2])
            rates = a.rate_left(axis, one[0]), b.rate_left(axis, other[0])
            yield Meeting(axis, at, one[1], other[1], one[0], other[0], error, *rates)


def level_of(run: Run, of: Of, axis: Axis, at: float) -> Level | None:
    """The run's level at a budget; None where it does not reach it, or was not measured there."""
    x, y = run.points(of, axis)
    found = level(x, y, at, noisy=of == "training") if len(x) else None
    if found is None or run.error is None:
        return found
    return found[0], found[1], run.error


def level(x: Numbers, y: Numbers, at: float, noisy: bool = True) -> Level | None:
    """Of a curve at a budget; None where it does not reach it.

    An evaluation is on a fixed set: its value is taken as it is, not as a mean over its
    neighbours, which the last part of a decay would raise.
    """
    if at <= 0 or x[0] > at * (1 + NEAR):
        return None
    if noisy and len(x) >= MANY:
        near = (x > at * (1 - AROUND)) & (x <= at * (1 + 1e-9))
        if near.sum() >= 3:
            return at, float(y[near].mean()), _error(y, int(near.sum()))
    sd = _scatter(x, y)
    nearest = int(np.argmin(np.abs(x - at)))
    if abs(x[nearest] - at) <= NEAR * at:
        return float(x[nearest]), float(y[nearest]), sd
    if x[-1] < at or x[0] <= 0:
        return None
    return at, float(np.interp(math.log(at), np.log(x), y)), sd


def end_of(run: Run, of: Of) -> Level | None:
    """The run at its end, on the first axis that is known of it."""
    for axis in AXES:
        reach = run.reach(of, axis)
        if reach is not None and reach > 0:
            return level_of(run, of, axis, reach)
    values = run.curves.get(of)
    there = values[np.isfinite(values)] if values is not None else np.empty(0)
    if not len(there):
        return None
    if len(there) < MANY or of == "validation":
        return math.nan, float(there[-1]), _scatter(np.arange(1.0, len(there) + 1), there)
    tail = there[-max(3, round(AROUND * len(there))) :]
    return math.nan, float(tail.mean()), _error(there, len(tail))


def _error(y: Numbers, n: int) -> float:
    """Of the mean of n neighbours, their correlation allowed for."""
    rho = correlation(y)
    spread = math.sqrt(off_line(np.arange(len(y), dtype=np.float64), y, np.ones(len(y))))
    # neighbours in AR(1) noise lie off their line by less than white noise would
    white = spread / math.sqrt(max((1 - rho) * (3 - rho) / 3, 1e-3))
    return white * math.sqrt((1 + rho) / (1 - rho) / n)


def _scatter(x: Numbers, y: Numbers) -> float:
    """Of one point of a table, from how far points lie off the line through their neighbours."""
    return math.sqrt(off_line(x, y, np.ones(len(y)))) if len(y) >= 5 else 0.0
