"""Curve -> LossTrend: is it falling, flat, rising, or can this window not tell?

Autocorrelation: neighbouring updates share weights and often data, so the error of a slope is
estimated with Newey-West (HAC) weights, lag 4 (n/100)^(2/9) (Newey & West 1994), by statsmodels,
which is imported only when the size of an effect leaves a question.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.curve import Curve, EvalPoint, MicroStep, Update
from shindan.core.evidence.trend import Jump, Loads, LossTrend, Rise, Slope, Spike

Array = NDArray[np.float64]

FEWEST = 30
"""Updates below which no trend is told."""
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


def derived(evidence: Mapping[type[Evidence], Evidence]) -> dict[type[Evidence], Evidence]:
    """Evidence that follows from other evidence."""
    curve, loads = evidence.get(Curve), evidence.get(Loads)
    if not isinstance(curve, Curve):
        return {}
    trend = loss_trend(curve, loads.at if isinstance(loads, Loads) else ())
    return {} if trend is None else {LossTrend: trend}


def loss_trend(curve: Curve, loads: Sequence[int] = ()) -> LossTrend | None:
    """None when fewer than FEWEST updates have a finite loss, or two optimizers are opponents."""
    if _take_turns(curve):
        return None
    name, x, y = per_update(curve, loads)
    finite = np.isfinite(y)
    bad = int((~finite).sum())
    x, y = x[finite], y[finite]
    if len(y) < FEWEST:
        return None
    blocks = [float(b.mean()) for b in np.array_split(y, BLOCKS)]
    noise = _noise(y)
    unsettled = blocks[0] - min(blocks) < 2 * RESOLVED * abs(blocks[0])
    rising = _third(y, -1) > min(_third(y, 0), _third(y, 1))
    lrs = [max(u.lr) for u in curve.updates if u.lr and not u.skipped]
    left = lrs[-1] / max(lrs) if lrs and max(lrs) > 0 else 1.0
    quarter = len(y) * 3 // 4
    falling = left > 0.5 and y[quarter:].mean() < y[:quarter].mean()
    return LossTrend(
        series=name,
        updates=len(y),
        blocks=tuple(blocks),
        noise=noise,
        whole=slope(x, y) if unsettled else None,
        tail=slope(x[-len(y) // 3 :], y[-len(y) // 3 :]) if rising else None,
        above=_above(y),
        first=float(y[0]),
        quarter=slope(x[quarter:], y[quarter:]) if falling and len(y) >= 100 else None,
        needed=_needed(noise, blocks[0], len(y)),
        lr_left=left,
        nonfinite=bad,
        spikes=tuple(_spikes(x, y))[:SPIKES],
        jumps=tuple(_jumps(curve.micro, loads)) if len(curve.micro) == curve.total_micro else (),
        rise=_rise(curve.evals, x, y),
    )


def per_update(curve: Curve, loads: Sequence[int] = ()) -> tuple[str, Array, Array]:
    """(``ce`` or ``loss``, update numbers (n,), values (n,)) of the optimizer with most updates.

    Where weights were loaded in between, of all optimizers: the run was resumed with new ones.
    """
    groups = _groups(curve, bool(loads))
    counted = sum(all(m.ce is not None and m.labels for m in g) for g in groups)
    name = "ce" if counted * 2 > len(groups) else "loss"
    values = [_mean(g, name) for g in groups]
    return name, np.arange(len(values), dtype=np.float64), np.array(values, dtype=np.float64)


def _groups(curve: Curve, resumed: bool) -> Sequence[Sequence[MicroStep]]:
    """The micro-steps of each update."""
    made = [u for u in curve.updates if not u.skipped]
    if len(curve.micro) != curve.total_micro or not made:
        by: dict[int, list[MicroStep]] = {}
        for m in curve.micro:
            by.setdefault(m.update, []).append(m)
        return list(by.values())
    wanted = {u.optimizer for u in made} if resumed else {_busiest(made)}
    ends = {end: size for k in wanted for size, end in _ends(made, k)}
    return [curve.micro[end - ends[end] : end] for end in sorted(ends) if end <= len(curve.micro)]


def _busiest(made: Sequence[Update]) -> int:
    kinds = [u.optimizer for u in made]
    return max(set(kinds), key=lambda k: (kinds.count(k), k))  # of equals the last: a student


def _take_turns(curve: Curve) -> bool:
    """Does another optimizer step between the updates, after a backward of its own?

    As in a GAN: there one's gain is the other's loss, and neither has to fall. Several
    optimizers that step after one and the same backward do not take turns.
    """
    made = [u for u in curve.updates if not u.skipped]
    main = _busiest(made) if made else 0
    mine = {end for _, end in _ends(made, main)} if made else set()
    if not mine:
        return False
    rest = {u.optimizer for u in made} - {main}
    others = {end for k in rest for _, end in _ends(made, k)} - mine
    between = [end for end in others if min(mine) < end < max(mine)]
    return 2 * len(between) >= len(mine)


def _ends(made: Sequence[Update], optimizer: int) -> list[tuple[int, int]]:
    """(micro-steps, number of the last one + 1) of its updates; its first has waited longer."""
    sizes = [u.micro_steps for u in made if u.optimizer == optimizer]
    usual = max(1, int(np.median(sizes)))
    ends = accumulate(sizes)
    return [(min(s, usual), end) for s, end in zip(sizes, ends, strict=True) if s > 0]


def _mean(group: Sequence[MicroStep], name: str) -> float:
    if name == "loss":
        return float(np.mean([m.loss for m in group]))
    told = [(m.ce, m.labels) for m in group if m.ce is not None and m.labels]
    if not told:
        return float("nan")
    return sum(c * n for c, n in told) / sum(n for _, n in told)


def _noise(y: Array) -> float:
    """Robust sd of one update, from differences of neighbours (a trend drops out)."""
    return float(1.4826 * np.median(np.abs(np.diff(y))) / math.sqrt(2.0))


def _third(y: Array, which: int) -> float:
    return float(np.array_split(y, 3)[which].mean())


def slope(x: Array, y: Array) -> Slope:
    """A straight line through the points (n,), its error with Newey-West weights.

    The change is that of ``y`` over the whole span of ``x``.
    """
    from statsmodels.regression.linear_model import OLS

    n, span = len(y), float(x[-1] - x[0]) or 1.0
    lags = max(1, int(4 * (n / 100) ** (2 / 9)))
    design = np.column_stack([np.ones(n), (x - x[0]) / span])
    fit = OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True})
    low, high = fit.conf_int()[1]
    t = float(fit.tvalues[1])
    return Slope(float(fit.params[1]), float(low), float(high), t if math.isfinite(t) else 0.0)


def _above(y: Array) -> float:
    """Share of the last third beyond what was usual in the better of the two before it."""
    parts = np.array_split(y, 3)
    before = min(parts[0], parts[1], key=lambda p: float(p.mean()))
    return float((parts[2] > np.quantile(before, 0.95)).mean())


def _needed(noise: float, start: float, n: int) -> int:
    """The change of a line over n points with sd s has error s sqrt(12 / n)."""
    wanted = RESOLVED * abs(start)
    if wanted == 0.0:
        return 0
    return max(0, math.ceil(12 * (2 * noise / wanted) ** 2) - n)


def _spikes(x: Array, y: Array) -> list[Spike]:
    found: list[Spike] = []
    i = BEFORE
    while i < len(y) and len(found) < SPIKES:
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


def _jumps(micro: Sequence[MicroStep], loads: Sequence[int]) -> list[Jump]:
    found = []
    for at in loads:
        width = min(20, at, len(micro) - at)
        if width < 5:
            continue
        sides = [np.array([_ce(m) for m in part]) for part in (micro[at - width : at], micro[at:])]
        before, after = sides[0], sides[1][: max(5, width // 2)]
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            continue
        error = math.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
        update = micro[at].update
        found.append(Jump(update, float(before.mean()), float(after.mean()), error, width))
    return found


def _ce(step: MicroStep) -> float:
    return step.loss if step.ce is None else step.ce


def _rise(evals: Sequence[EvalPoint], x: Array, y: Array) -> Rise | None:
    """Evaluations of one and the same set: equal numbers of labels, up to resampled masks."""
    if len(evals) < 4:
        return None
    size = float(np.median([e.labels for e in evals]))
    same = [e for e in evals if abs(e.labels - size) <= 0.2 * size and math.isfinite(e.loss)]
    if len(same) < 4:
        return None
    best = min(range(len(same)), key=lambda i: same[i].loss)
    return Rise(
        best=same[best].loss,
        best_update=same[best].update,
        last=min(e.loss for e in same[-2:]),
        first=same[0].loss,
        points_after=len(same) - 1 - best,
        train_at_best=_around(y, same[best].update),
        train_last=_around(y, same[-1].update),
    )


def _around(y: Array, update: int) -> float:
    """Mean of the training losses just before an evaluation (or the first ones)."""
    end = min(max(update, 10), len(y))
    return float(y[max(0, end - max(10, len(y) // 20)) : end].mean())
