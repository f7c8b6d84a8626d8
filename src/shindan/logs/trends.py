"""What a series of losses does, with its own noise taken into account: arithmetic on arrays.

Autocorrelation: neighbouring updates share weights and often data, so the error of a slope is
estimated with Newey-West (HAC) weights, lag 4 (n/100)^(2/9) (Newey & West 1994), by statsmodels,
and with the residuals' own AR(1) coefficient; the larger one counts. statsmodels is imported only
when the size of an effect leaves a question. Series longer than ``LONGEST`` are first averaged
over equal stretches: the mean of m points keeps their slow movement, and the weights of what is
left are chosen for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.trend import Jump, LossTrend, Rise, Slope, Spike
from shindan.logs.noise import correlation
from shindan.logs.order import in_order

Array = NDArray[np.float64]

FEWEST = 30
"""Points below which no trend is told."""
AGO = 75
"""Points before the last quarter, and a third as many in it, below which it is not looked at ..."""
AGO_IN_LOG = 24
"""... and in a log, whose rows are epochs or stand for many updates."""
BLOCKS = 12
RESOLVED = 0.05
"""A window decides when the interval of the whole change is within this share of the start."""
HIGH = 8.0
"""A spike is this many robust sd above the median before: 1e-15 for normal noise, and far above
the heavy tails of batch losses (about 5 sd in the runs of this project's patients)."""
TALL = 0.25
"""... and this share of the median: one hard batch of a healthy run stays below it."""
LASTING = 3
"""... for this many updates in a row: a bad batch alone is gone with the next one."""
BEFORE = 20
"""Updates whose median says what was usual."""
SPIKES = 20
FEW_AFTER = 4
"""Evaluations after the best one, all of which must rise to be told from chance (1 of 4!)."""
FEW_BEFORE = 3
"""Evaluations up to the best one that say where validation stood."""
LONGEST = 20_000
"""Points of a fit; means of stretches beyond."""


@dataclass(frozen=True)
class Told:
    """What is known beside the series itself: see ``LossTrend``."""

    lr_left: float = 1.0
    jumps: tuple[Jump, ...] = ()
    rise: Rise | None = None
    updates: int | None = None
    """Updates the series spans, where its points are further apart than one update."""


def trend(name: str, x: Array, y: Array, told: Told) -> LossTrend | None:
    """The trend of ``y`` (n,) over ``x`` (n,); None when fewer than FEWEST values are finite."""
    finite = np.isfinite(y)
    bad = int((~finite).sum())
    x, y = x[finite], y[finite]
    if len(y) < FEWEST:
        return None
    blocks = [float(b.mean()) for b in np.array_split(y, BLOCKS)]
    sd = noise(y)
    unsettled = blocks[0] - min(blocks) < 2 * RESOLVED * abs(blocks[0])
    rising = _third(y, -1) > min(_third(y, 0), _third(y, 1))
    quarter, ago = len(y) * 3 // 4, AGO if told.updates is None else AGO_IN_LOG
    falling = not told.lr_left <= 0.5 and y[quarter:].mean() < y[:quarter].mean()
    return LossTrend(
        series=name,
        updates=len(y) if told.updates is None else told.updates,
        blocks=tuple(blocks),
        noise=sd,
        whole=slope(x, y) if unsettled else None,
        tail=slope(x[-len(y) // 3 :], y[-len(y) // 3 :]) if rising else None,
        above=_above(y),
        first=float(y[0]),
        quarter=slope(x[quarter:], y[quarter:]) if falling and quarter >= ago else None,
        needed=_needed(sd, blocks[0], len(y)),
        lr_left=told.lr_left,
        nonfinite=bad,
        spikes=tuple(spikes(x, y)),
        jumps=told.jumps,
        rise=told.rise,
        points=len(y),
        lowest_late=float(y[-(len(y) // 3) :].min()),
        scatter=sd / math.sqrt(1 - correlation(y)),
    )


def noise(y: Array) -> float:
    """Robust sd of one update, from differences of neighbours (a trend drops out)."""
    return float(1.4826 * np.median(np.abs(np.diff(y))) / math.sqrt(2.0))


def slope(x: Array, y: Array) -> Slope:
    """A straight line through the points, its error the larger of two that allow for correlation.

    Newey-West weights are too few for noise that is slow beside the window; there the error of
    independent points, widened as AR(1) noise of the residuals' own coefficient asks for, is the
    larger one. Where all points share one ``x``, their order is what is known.
    """
    from statsmodels.regression.linear_model import OLS

    x, y = means(x, LONGEST), means(y, LONGEST)
    if x[0] == x[-1]:
        x = np.arange(len(y), dtype=np.float64)
    n, span = len(y), float(x[-1] - x[0])
    lags = max(1, int(4 * (n / 100) ** (2 / 9)))
    design = np.column_stack([np.ones(n), (x - x[0]) / span])
    plain = OLS(y, design).fit()
    fit = plain.get_robustcov_results(cov_type="HAC", maxlags=lags, use_correction=True)
    low, high = fit.conf_int()[1]
    change, wide = float(fit.params[1]), widened(np.asarray(plain.resid))
    wider = wide * float(plain.bse[1]) / (float(fit.bse[1]) or math.inf)
    if wider > 1:
        low, high = change - wider * (change - low), change + wider * (high - change)
    t, alone = _finite(float(fit.tvalues[1])), _finite(float(plain.tvalues[1]))
    return Slope(change, float(low), float(high), t / max(1.0, wider), t_independent=alone)


def widened(left: Array) -> float:
    """How much larger the error of a line is for AR(1) noise like these residuals (n,).

    The coefficient of a line's residuals is too small by (2 + 4 rho) / n (Kendall 1954; here of a
    mean and a trend), which is taken back. Within n^-1/2 of one it counts as one (Perron & Yabu
    2009): the line through a random walk errs by sqrt(1.5 n) times what independent points say.
    """
    power, n = float(left @ left), len(left)
    if power == 0.0:
        return 1.0
    rho = float(left[1:] @ left[:-1]) / power
    rho = max(0.0, rho + (2 + 4 * rho) / n)
    return math.sqrt(1.5 * n) if 1 - rho < n**-0.5 else math.sqrt((1 + rho) / (1 - rho))


def means(values: Array, most: int) -> Array:
    """The values (n,) themselves, or means of at most ``most`` equal stretches of them."""
    size = math.ceil(len(values) / most)
    if size <= 1:
        return values
    whole = len(values) // size * size
    return np.asarray(values[:whole].reshape(-1, size).mean(axis=1))


def spikes(x: Array, y: Array) -> list[Spike]:
    """The first SPIKES stretches that stood far above the BEFORE values before them."""
    found: list[Spike] = []
    i = BEFORE
    candidates = _candidates(y)
    while i < len(y) and len(found) < SPIKES:
        if not candidates[i]:
            i += int(np.argmax(candidates[i:])) if candidates[i:].any() else len(y)
            continue
        before = y[i - BEFORE : i]
        usual = float(np.median(before))
        spread = float(1.4826 * np.median(np.abs(before - usual)))
        limit = usual + max(HIGH * spread, TALL * abs(usual))
        end = i
        while end < len(y) and y[end] > limit:
            end += 1
        if end - i >= LASTING:
            height = float(y[i:end].max()) - usual
            found.append(Spike(int(x[i]), height, usual, spread, end - i, end < len(y)))
        i = max(end, i + 1) + (BEFORE if end - i >= LASTING else 0)
    return found


def _candidates(y: Array) -> NDArray[np.bool_]:
    """Where a spike may begin: above the lowest of the values before by TALL of it (n,).

    The median before is at least the lowest before, so nothing that counts is left out; losses
    below zero are all looked at.
    """
    lowest = np.full(len(y), -np.inf)
    if len(y) > BEFORE:
        windows = np.lib.stride_tricks.sliding_window_view(y[:-1], BEFORE)
        lowest[BEFORE:] = windows.min(axis=1)
    return np.where(lowest > 0, y > (1 + TALL) * lowest, True)


def jump(update: int, before: Array, after: Array, window: int) -> Jump | None:
    """The means of two sides and the error of their difference; None where one is not finite."""
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None
    error = math.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
    first, second = np.array_split(before, 2)
    fall = max(0.0, float(first.mean() - second.mean()))
    goes_on = fall * (len(before) + len(after)) / len(before)
    return Jump(update, float(before.mean()), float(after.mean()), error, window, goes_on=goes_on)


def rise(
    updates: Sequence[float], losses: Sequence[float], x: Array, y: Array, width: int = 10
) -> Rise | None:
    """Evaluations of one set against the training losses ``y`` at ``x``; None below four.

    ``width`` training losses at least are averaged beside an evaluation.
    """
    if len(losses) < 4:
        return None
    best = min(range(len(losses)), key=lambda i: losses[i])
    since = np.array(losses[best:], dtype=np.float64)
    tells = len(since) > FEW_AFTER
    return Rise(
        best=losses[best],
        best_update=int(updates[best]),
        last=min(losses[-2:]),
        first=losses[0],
        points_after=len(losses) - 1 - best,
        train_at_best=_around(x, y, updates[best], width),
        train_last=_around(x, y, updates[-1], width),
        climb=in_order(since[1:]) if tells else 1.0,
        scatter=math.sqrt(float((np.diff(since, 2) ** 2).mean()) / 6) if tells else 0.0,
        apart=apart(losses, best),
    )


def apart(losses: Sequence[float], best: int) -> float:
    """The chance that the m losses after the ``best`` are all above the n that end with it.

    n as large as it is true of. In no order, 1 in n C(n + m, n) sets of n + m begins with its n
    lowest, the best at their end; any of the places may have been the one.
    """
    after = losses[best + 1 :]
    n = 0
    while after and n <= best and losses[best - n] < min(after):
        n += 1
    if n < FEW_BEFORE or len(after) < FEW_AFTER:
        return 1.0
    return min(1.0, len(losses) / (n * math.comb(n + len(after), n)))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _third(y: Array, which: int) -> float:
    return float(np.array_split(y, 3)[which].mean())


def _above(y: Array) -> float:
    """Share of the last third beyond what was usual in the better of the two before it."""
    parts = np.array_split(y, 3)
    before = min(parts[0], parts[1], key=lambda p: float(p.mean()))
    return float((parts[2] > np.quantile(before, 0.95)).mean())


def _needed(sd: float, start: float, n: int) -> int:
    """The change of a line over n points with sd s has error s sqrt(12 / n)."""
    wanted = RESOLVED * abs(start)
    if wanted == 0.0:
        return 0
    return max(0, math.ceil(12 * (2 * sd / wanted) ** 2) - n)


def _around(x: Array, y: Array, update: float, width: int) -> float:
    """Mean of the training losses just before an evaluation (or the first ones)."""
    before = np.searchsorted(x, update)
    if width == 1:  # the mean of an epoch stands where its evaluation does
        before = np.searchsorted(x, update, "right")
    end = min(max(int(before), width), len(y))
    return float(y[max(0, end - max(width, len(y) // 20)) : end].mean())
