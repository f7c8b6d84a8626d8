"""Where a series will be, from its last phase, with an interval tried on its own past.

The forecast is the median of several simple continuations, each fitted to a trailing stretch: the
level stays; it goes on straight over ln(step); it goes on as a power of the step towards a floor.
Horizons are measured in ln(step), the time in which learning curves look alike. The interval is
split-conformal (Vovk et al. 2005; Lei et al. 2018): the errors of the same forecast made at
earlier origins, at the same horizon, ranked. It assumes that the curve goes on as it went since
its last change; where it cannot be assumed there is a refusal.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.phases import Forecast, Phases, Reach
from shindan.core.reason import Reason
from shindan.logs.phases import FEWEST, log_time

Array = NDArray[np.float64]

WANTED = 0.9
POWERS = (0.0, 0.5, 1.0)
"""Continuations a + b t^-power; 0 stands for a + b ln t."""
STRETCHES = (1.0, 2.0, 4.0)
"""They are fitted to trailing stretches of this many horizons."""
ORIGINS = 40
ENOUGH = 9
"""Errors from which a 90 % interval can be read: below, the largest is widened."""
PARTS = (1.0, 0.5, 0.25)
"""Shorter horizons tried where the past is short; errors grow in proportion to the horizon."""
LEVEL = 8.0
"""A level is the mean over an eighth of the horizon, or one point where there are few."""
DECAYED = 0.5


def forecast(found: Phases, x: Array, y: Array, at: float, lr: Array | None = None) -> Forecast:
    """The value at step ``at``; ``x``, ``y``, ``lr`` (n,) as the phases were made from."""
    finite = np.isfinite(y) & np.isfinite(x)
    order = np.argsort(x[finite], kind="stable")
    steps, values = x[finite][order], y[finite][order]
    since = np.searchsorted(steps, found.phases[-1].first)
    u, v = log_time(steps), values
    ahead = log_time(np.append(steps, at))[-1] - u[-1]
    made = Forecast(found.name, found.unit, float(steps[-1]), _level(u, v, u[-1], ahead), at)
    refusal = _refusal(found, u[since:], ahead, y, lr)
    if refusal is not None:
        return replace(made, refusal=refusal)
    return _with_interval(made, u[since:], v[since:], ahead)


def _refusal(
    found: Phases, u: Array, ahead: float, y: Array, lr: Array | None
) -> Reason | None:
    last = found.phases[-1]
    if not math.isfinite(y[-1]):
        return Reason("forecast-not-finite", {})
    if len(u) < FEWEST // 2:
        return Reason("forecast-short", {"points": len(u)})
    if last.kind == "rising":
        return Reason("forecast-rising", {"first": last.first})
    if u[-1] - u[0] < ahead:
        most = math.exp(u[-1] - u[0])
        return Reason("forecast-far", {"first": last.first, "until": last.last * most})
    return _schedule(lr)


def _schedule(lr: Array | None) -> Reason | None:
    """A learning rate on its way down bends the curve, by how much the log's past cannot tell."""
    known = lr[np.isfinite(lr)] if lr is not None else np.zeros(0)
    if len(known) < 2 or known.max() <= 0 or known[-1] > DECAYED * known.max():
        return None
    return Reason("forecast-schedule", {"left": float(known[-1] / known.max())})


def _with_interval(made: Forecast, u: Array, v: Array, ahead: float) -> Forecast:
    value = _continued(u, v, ahead)
    errors = np.abs(_past_errors(u, v, ahead))
    width = _quantile(errors)
    others = [np.delete(errors, i) for i in range(len(errors))]
    held = [e <= _quantile(rest) for e, rest in zip(errors, others, strict=True)]
    return replace(
        made,
        value=value,
        low=value - width,
        high=value + width,
        wanted=WANTED,
        origins=len(errors),
        held=float(np.mean(held)) if held else math.nan,
    )


def _quantile(errors: Array) -> float:
    """The conformal quantile; of fewer than ENOUGH errors the largest, widened."""
    n = len(errors)
    if n == 0:
        return math.inf
    rank = math.ceil((n + 1) * WANTED)
    if rank <= n:
        return float(np.sort(errors)[rank - 1])
    return float(errors.max()) * (1.0 + (ENOUGH - n) / ENOUGH)


def _past_errors(u: Array, v: Array, ahead: float) -> Array:
    """Errors of the same forecast made earlier, at the longest horizon that leaves ENOUGH."""
    made: list[float] = []
    for part in PARTS:
        made = [e / part for e in _errors(u, v, ahead * part)]
        if len(made) >= ENOUGH:
            break
    return np.array(made)


def _errors(u: Array, v: Array, ahead: float) -> Iterator[float]:
    """From origins spread over the past, each to the point a horizon later (or the next one)."""
    last = int(np.searchsorted(u, u[-1] - ahead, side="right"))
    for i in np.unique(np.linspace(2, max(2, min(last, len(u) - 2)), ORIGINS).astype(int)):
        j = max(i + 1, int(np.searchsorted(u, u[i] + ahead, side="right")) - 1)
        if j < len(u) and u[i] - u[0] >= ahead and u[j] > u[i]:
            truth = _level(u[: j + 1], v[: j + 1], u[j], ahead)
            gone = float(u[j] - u[i])
            yield (_continued(u[: i + 1], v[: i + 1], gone) - truth) * max(1.0, ahead / gone)


def _level(u: Array, v: Array, at: float, ahead: float) -> float:
    near = u > at - ahead / LEVEL
    return float(v[near].mean()) if near.any() else float(v[-1])


def _continued(u: Array, v: Array, ahead: float) -> float:
    """The median of the continuations ``ahead`` of the last point."""
    values = [_level(u, v, u[-1], ahead)]
    for stretch in STRETCHES:
        near = u >= u[-1] - stretch * ahead
        if near.sum() < 3:
            near[-3:] = True
        values += [_one(u[near] - u[-1], v[near], ahead, power) for power in POWERS]
    return float(np.median(values))


def _one(u: Array, v: Array, ahead: float, power: float) -> float:
    """a + b t^-power fitted by least squares; t is 1 at the last point."""
    if u[0] == u[-1]:
        return float(v.mean())
    basis = np.exp(-power * u) if power else u
    then = math.exp(-power * ahead) if power else ahead
    middle = basis.mean()
    off = basis - middle
    slope = float(off @ (v - v.mean()) / (off @ off))
    return float(v.mean()) + slope * (then - middle)
