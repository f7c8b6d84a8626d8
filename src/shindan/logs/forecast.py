"""Where a series will be, from its last phase, with an interval tried on its own past.

The forecast is the median of several simple continuations, each fitted to a trailing stretch: the
level stays; it goes on straight, straight over ln(step), or as a power of the step to a floor.
Horizons are measured in ln(step), the time in which learning curves look alike. The interval is
split-conformal (Vovk et al. 2005; Lei et al. 2018): the errors of the same forecast made at
earlier origins, at the same horizon, ranked. It assumes that the curve goes on as it went since
its last change; where it cannot be assumed there is a refusal.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.phases import Answer, Forecast, Phases, Reach
from shindan.core.reason import Reason
from shindan.logs.cuts import NORMAL, equal_and_ratio
from shindan.logs.phases import FEWEST, in_order, log_time
from shindan.logs.trends import slope

Array = NDArray[np.float64]

WANTED = 0.9
POWERS = (-1.0, 0.0, 0.5, 1.0)
"""Continuations a + b t^-power: straight on, straight over ln t (0), towards a floor."""
STRETCHES = (1.0, 2.0, 4.0)
"""They are fitted to trailing stretches of this many horizons."""
EXPERTS = 2 + len(POWERS) * len(STRETCHES)
FEW = 5
ORIGINS = 40
ENOUGH = 9
"""Errors from which a 90 % interval can be read: below, the largest is widened."""
PARTS = (1.0, 0.5, 0.25)
"""Shorter horizons tried where the past is short; errors grow in proportion to the horizon."""
RECENT = 12.0
"""Origins lie within the last so many horizons: a curve's steep beginning errs by more."""
SHORT = 8.0
"""A level is the mean over an eighth of the horizon, or one point where there are few."""
DECAYED = 0.5
WARMING = 1.02
"""Rising still over the last quarter of the log (as core/plateau.py)."""
FURTHEST = math.log(4)
ROUNDING = 1e-9
"""Changes of a constant series, relative to its level."""
LOOKS = 40


def forecast(found: Phases, x: Array, y: Array, at: float, lr: Array | None = None) -> Forecast:
    """The value at step ``at``; ``x``, ``y``, ``lr`` (n,) are what the phases were made from."""
    past, refusal = _past(found, x, y, lr)
    ahead = past.horizon(at)
    made = Forecast(found.name, found.unit, past.now, past.level(ahead), at)
    refusal = refusal or _too_far(found, past, ahead)
    if refusal is not None:
        return replace(made, refusal=refusal)
    value, errors = past.continued(ahead)
    errors = np.abs(errors)
    width = _quantile(errors)
    others = [np.delete(errors, i) for i in range(len(errors))]
    held = [e <= _quantile(rest) for e, rest in zip(errors, others, strict=True)]
    return replace(
        made,
        value=max(value, past.floor),
        low=max(value - width, past.floor),
        high=max(value + width, past.floor),
        wanted=WANTED,
        origins=len(errors),
        held=float(np.mean(held)) if held else math.nan,
    )


def reach(found: Phases, x: Array, y: Array, target: float, lr: Array | None = None) -> Reach:
    """When the series falls to ``target``, as far as this log allows to say."""
    past, refusal = _past(found, x, y, lr)
    if refusal is not None:
        return Reach(found.name, target, "open", past.now, refusal=refusal)
    most = past.furthest
    if past.level(0) <= target:
        return Reach(found.name, target, "already", past.now)
    first = last = None
    for ahead in np.geomspace(most / 50, most, LOOKS):
        value, errors = past.continued(ahead)
        width = _quantile(np.abs(errors))
        if first is None and value - width <= target:
            first = past.step(ahead)
        if last is None and value + width <= target:
            last = past.step(ahead)
    answer: Answer = "yes" if last is not None else "open" if first is not None else "no"
    return Reach(found.name, target, answer, past.step(most), first, last)


def _past(found: Phases, x: Array, y: Array, lr: Array | None) -> tuple["Past", Reason | None]:
    """The last phase, in blocks, and why no forecast is to be made from it."""
    x, v = in_order(x, y)
    u, since = log_time(x), int(np.searchsorted(x, found.phases[-1].first))
    shift = math.exp(u[-1]) - float(x[-1])
    now = float(x[-1])
    u, v = u[since:], v[since:]
    edges = equal_and_ratio(len(u))
    sizes = np.diff(edges)
    u, v = (np.add.reduceat(a, edges[:-1]) / sizes for a in (u, v))
    past, named = Past(u, v, now, shift), {"name": found.name}
    if not math.isfinite(y[-1]):
        return past, Reason("forecast-not-finite", named)
    if len(past.u) < FEWEST // 2:
        return past, Reason("forecast-short", {**named, "points": len(past.u)})
    if found.phases[-1].kind == "rising":
        return past, Reason("forecast-rising", {**named, "first": found.phases[-1].first})
    if _speeding(past.u, past.v):
        return past, Reason("forecast-speeding", named)
    return past, _schedule(found.name, lr)


def _speeding(u: Array, v: Array) -> bool:
    """Has it fallen clearly faster, over ln(step), in its last doubling than in the one before?

    Learning curves slow down there; what bends the other way may go on to do so, or not.
    """
    late = u >= u[-1] - FURTHEST
    u, v = u[late], v[late]
    half = u > (u[0] + u[-1]) / 2
    if min(half.sum(), (~half).sum()) < FEWEST // 2:
        return False
    (first, off), (second, by) = (_rate(u[h], v[h]) for h in (~half, half))
    return second + by < first - off


def _rate(u: Array, v: Array) -> tuple[float, float]:
    """The slope over u and half its interval as of independent points: what refuses may be wrong
    where it need not, and a smooth curve of slow noise gives no other.
    """
    line, span = slope(u, v), float(np.ptp(u))
    half = NORMAL * abs(line.change / line.t_independent) if line.t_independent else 0.0
    return line.change / span, max(half, ROUNDING * abs(float(v.mean()))) / span


def _too_far(found: Phases, past: "Past", ahead: float) -> Reason | None:
    if ahead <= past.furthest:
        return None
    until = math.floor(past.step(past.furthest))
    first = found.phases[-1].first
    return Reason("forecast-far", {"name": found.name, "first": first, "until": until})


def _schedule(name: str, lr: Array | None) -> Reason | None:
    """A learning rate on its way bends the curve, by how much the log's past cannot tell."""
    known = lr[np.isfinite(lr)] if lr is not None else np.zeros(0)
    if len(known) < FEWEST or known.max() <= 0:
        return None
    left = float(known[-1] / known.max())
    if left < DECAYED:
        return Reason("forecast-decaying", {"name": name, "left": left})
    if known[-1] > WARMING * known[3 * len(known) // 4]:
        return Reason("forecast-warming", {"name": name})
    return None


def _quantile(errors: Array) -> float:
    """The conformal quantile; of fewer than ENOUGH errors the largest, widened."""
    n = len(errors)
    if n == 0:
        return math.inf
    rank = math.ceil((n + 1) * WANTED)
    if rank <= n:
        return float(np.sort(errors)[rank - 1])
    return float(errors.max()) * (1.0 + (ENOUGH - n) / ENOUGH)


@dataclass(frozen=True)
class Past:
    """The last phase: ``u`` (n,) ln steps and ``v`` (n,) values of its blocks."""

    u: Array
    v: Array
    now: float
    shift: float
    """exp(u) less this is a step: counts that begin at zero are told one later."""

    @property
    def floor(self) -> float:
        """Zero for a series that never was below it."""
        return 0.0 if float(self.v.min()) >= 0 else -math.inf

    @property
    def furthest(self) -> float:
        """No further ahead, in ln(step), than the last phase has lasted, and than two doublings."""
        return min(float(self.u[-1] - self.u[0]), FURTHEST)

    def horizon(self, at: float) -> float:
        """How far step ``at`` lies ahead, in ln(step)."""
        return math.log((at + self.shift) / (self.now + self.shift))

    def step(self, ahead: float) -> float:
        """The step that lies so far ahead."""
        return (self.now + self.shift) * math.exp(ahead) - self.shift

    def level(self, ahead: float) -> float:
        """Where the series is now."""
        return _level(self.u, self.v, ahead)

    def continued(self, ahead: float) -> tuple[float, Array]:
        """The forecast, and the errors of the same procedure at earlier origins (m,).

        Of the longest horizon that leaves ENOUGH of them, in proportion where it is shorter.
        """
        tried = np.zeros((0, 1))
        part = 1.0
        for part in PARTS:
            tried = np.array([*self._tried(ahead * part)]).reshape(-1, EXPERTS)
            if len(tried) >= ENOUGH:
                break
        chosen = [_best(tried[:i]) for i in range(len(tried))]
        errors = np.array([row[k] for row, k in zip(tried, chosen, strict=True)])
        return float(_continued(self.u, self.v, ahead)[_best(tried)]), errors / part

    def _tried(self, ahead: float) -> Iterator[Array]:
        """Errors of every continuation from origins spread over the past, each to the block a
        horizon later (or the next one).
        """
        u, v = self.u, self.v
        last = int(np.searchsorted(u, u[-1] - ahead, side="right"))
        last = max(2, min(last, len(u) - 2))
        recent = int(np.searchsorted(u, u[-1] - RECENT * ahead))
        first = max(2, min(recent, last - ORIGINS))
        for i in np.unique(np.linspace(first, last, ORIGINS).astype(int)):
            j = max(i + 1, int(np.searchsorted(u, u[i] + ahead, side="right")) - 1)
            if j < len(u) and u[i] - u[0] >= ahead and u[j] > u[i]:
                gone = float(u[j] - u[i])
                truth = _level(u[: j + 1], v[: j + 1], ahead)
                off = _continued(u[: i + 1], v[: i + 1], gone) - truth
                yield off * max(1.0, ahead / gone)


def _best(tried: Array) -> int:
    """Which continuation erred least lately; the median of all (the last one) at the beginning."""
    if len(tried) < FEW:
        return EXPERTS - 1
    return int(np.argmin(np.abs(tried[-len(tried) // 2 :]).mean(axis=0)))


def _level(u: Array, v: Array, ahead: float) -> float:
    return float(v[u > u[-1] - ahead / SHORT].mean()) if ahead > 0 else float(v[-1])


def _continued(u: Array, v: Array, ahead: float) -> Array:
    """(EXPERTS,) values ``ahead`` of the last point; the last is the median of the others."""
    values = [_level(u, v, ahead)]
    for stretch in STRETCHES:
        near = u >= u[-1] - stretch * ahead
        near[-3:] = True
        values += [_one(u[near] - u[-1], v[near], ahead, power) for power in POWERS]
    return np.array([*values, np.median(values)])


def _one(u: Array, v: Array, ahead: float, power: float) -> float:
    """a + b t^-power fitted by least squares; t is 1 at the last point."""
    basis = np.exp(-power * u) if power else u
    then = math.exp(-power * ahead) if power else ahead
    middle = basis.mean()
    off = basis - middle
    spread = float(off @ off)
    return float(v.mean()) + (
        float(off @ (v - v.mean())) / spread * (then - middle) if spread else 0
    )
