"""Two runs where both had spent the same: their levels there, and how sure these are."""

import math
from collections.abc import Iterator

import numpy as np

from shindan.core.evidence.pairs import AXES, Meeting
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


def ends(a: Run, b: Run, of: Of) -> Meeting | None:
    """Both at their own ends."""
    levels = [_end(run, of) for run in (a, b)]
    if levels[0] is None or levels[1] is None:
        return None
    (at_a, value_a, sd_a), (at_b, value_b, sd_b) = levels[0], levels[1]
    return Meeting("updates", max(at_a, at_b), value_a, value_b, at_a, at_b, math.hypot(sd_a, sd_b))


def meetings(a: Run, b: Run, of: Of) -> Iterator[Meeting]:
    """Both at the budget of the one that spent less, on every axis both are known on."""
    for axis in AXES:
        x_a, y_a = a.points(of, axis)
        x_b, y_b = b.points(of, axis)
        if not len(x_a) or not len(x_b):
            continue
        at = min(float(x_a[-1]), float(x_b[-1]))
        one, other = level(x_a, y_a, at), level(x_b, y_b, at)
        if one is not None and other is not None:
            error = math.hypot(one[2], other[2])
            rates = a.rate_left(axis, one[0]), b.rate_left(axis, other[0])
            yield Meeting(axis, at, one[1], other[1], one[0], other[0], error, *rates)


def level(x: Numbers, y: Numbers, at: float) -> tuple[float, float, float] | None:
    """(where, level, its standard error) of a curve at a budget; None where it does not reach."""
    if at <= 0 or x[0] > at * (1 + NEAR):
        return None
    if len(x) >= MANY:
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


def _end(run: Run, of: Of) -> tuple[float, float, float] | None:
    for axis in AXES:
        x, y = run.points(of, axis)
        if len(x) and x[-1] > 0:
            return level(x, y, float(x[-1]))
    values = run.curves.get(of)
    there = values[np.isfinite(values)] if values is not None else np.empty(0)
    if not len(there):
        return None
    if len(there) < MANY:
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
