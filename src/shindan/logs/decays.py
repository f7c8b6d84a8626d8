"""Where a run stands in its schedule, and how much of its fall is its decay's."""

import math

import numpy as np

from shindan.core.evidence.axes import Axis
from shindan.logs.meeting import level_of
from shindan.logs.sides import Of, Run
from shindan.logs.table import Numbers

STABLE = 0.95
"""Share of the peak from which a learning rate counts as still at it."""
ALIKE = 0.05
"""Shares of their peaks within which two schedules are one, all along the way."""
GRID = 64
STEPS = 50
STEPPED = 3
"""Rows of one rate, on average, from which changes are steps."""
FEWEST = 20
"""Points of a stretch from which a line is drawn on."""
CONSTANT = ("constant", "constant_with_warmup", "none")


def left(run: Run, axis: Axis, at: float) -> float | None:
    """What is left of the peak learning rate there, 1 before the peak; None where unknown."""
    found = _rates(run, axis)
    if found is None:
        told = (run.side.facts.schedule or "").lower()
        return 1.0 if told in CONSTANT else None
    x, rates = found
    top = int(np.argmax(rates))
    if at <= x[top]:
        return 1.0
    return float(np.interp(at, x[top:], rates[top:]) / rates[top])


def same_way(a: Run, b: Run, axis: Axis, at: float) -> bool:
    """Do both learning rates go the same way, as shares of their peaks, until there?"""
    one, other = _rates(a, axis), _rates(b, axis)
    if one is None or other is None:
        return False
    first = max(one[0][0], other[0][0])
    if first >= at:
        return False
    grid = np.linspace(first, at, GRID)
    ways = [np.interp(grid, x, r / r[x <= at].max()) for x, r in (one, other)]
    return float(np.abs(ways[0] - ways[1]).max()) <= ALIKE


def by_steps(run: Run) -> bool:
    """Does the rate fall in a few steps? They may follow the loss (a plateau), not lead it."""
    used = run.rates[np.isfinite(run.rates)] if run.rates is not None else np.empty(0)
    moves = used[1:][np.diff(used) != 0]
    return 0 < len(moves) <= STEPS and len(used) >= STEPPED * (len(moves) + 1)


def drop(run: Run, of: Of, axis: Axis, at: float) -> tuple[float, float] | None:
    """How far a decay has brought the loss below where the peak rate would have: (nats, error).

    Needs a stretch at the peak before it, at least as long as the decay: the line over ln of what
    was spent in its second half is drawn on to ``at``, less what the same line, drawn on as far
    inside the stretch, misses of what was measured there: a loss bends over ln x. The error is that
    of both lines and levels, and half of what was missed. None where the rate falls from its peak
    on.
    """
    found, here = _rates(run, axis), level_of(run, of, axis, at)
    if found is None or here is None:
        return None
    x, rates = found
    high = x[(rates >= STABLE * rates.max()) & (x <= at)]
    start, begun = (float(high[-1]), float(high[0])) if len(high) else (0.0, 0.0)
    if start <= 0 or start < at / 2 or start >= at or begun > start / 4:
        return None
    going = _drawn_on(run, of, axis, start, at)
    ratio = at / start
    known, met = _drawn_on(run, of, axis, start / ratio, start), level_of(run, of, axis, start)
    if going is None or known is None or met is None:
        return None
    missed = met[1] - known[0]
    error = math.hypot(going[1], here[2], known[1], met[2], missed / 2)
    return going[0] + missed - here[1], error


def _rates(run: Run, axis: Axis) -> tuple[Numbers, Numbers] | None:
    """Places (n,) and learning rates (n,) in order; None where they are not logged."""
    if run.rates is None or axis not in run.at:
        return None
    rows = np.flatnonzero(np.isfinite(run.rates) & np.isfinite(run.at[axis]))
    if len(rows) < 2 or run.rates[rows].max() <= 0:
        return None
    order = rows[np.argsort(run.at[axis][rows], kind="stable")]
    return run.at[axis][order], run.rates[order]


def _drawn_on(run: Run, of: Of, axis: Axis, until: float, to: float) -> tuple[float, float] | None:
    """The line over ln x through the points of [until / 2, until], at ``to``, and its error."""
    x, y = run.points(of, axis)
    rows = (x >= until / 2) & (x <= until) & (x > 0)
    if rows.sum() < FEWEST:
        return None
    u, v = np.log(x[rows]), y[rows]
    middle = u.mean()
    slope, level = np.polyfit(u - middle, v, 1)
    off = v - level - slope * (u - middle)
    n, far = len(u), math.log(to) - middle
    # neighbours go together: count only as many points as there are independent ones
    rho = float(np.clip(np.corrcoef(off[1:], off[:-1])[0, 1], 0, 0.99)) if off.std() > 0 else 0.0
    spread = float(off.std()) * math.sqrt((1 + rho) / (1 - rho))
    error = spread * math.sqrt(1 / n + far**2 / float(((u - middle) ** 2).sum()))
    return float(level + slope * far), error
