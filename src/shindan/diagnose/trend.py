"""Curve -> LossTrend: is it falling, flat, rising, or can this window not tell?"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.curve import Curve, EvalPoint, MicroStep, Update
from shindan.core.evidence.trend import Jump, Loads, LossTrend, Rise
from shindan.logs.trends import Told, jump, rise, trend

Array = NDArray[np.float64]


def derived(evidence: Mapping[type[Evidence], Evidence]) -> dict[type[Evidence], Evidence]:
    """Evidence that follows from other evidence."""
    curve, loads = evidence.get(Curve), evidence.get(Loads)
    if not isinstance(curve, Curve):
        return {}
    found = loss_trend(curve, loads.at if isinstance(loads, Loads) else ())
    return {} if found is None else {LossTrend: found}


def loss_trend(curve: Curve, loads: Sequence[int] = ()) -> LossTrend | None:
    """None when fewer than FEWEST updates have a finite loss, or two optimizers are opponents."""
    if _take_turns(curve):
        return None
    name, x, y = per_update(curve, loads)
    finite = np.isfinite(y)
    lrs = [max(u.lr) for u in curve.updates if u.lr and not u.skipped]
    whole = len(curve.micro) == curve.total_micro
    told = Told(
        lr_left=lrs[-1] / max(lrs) if lrs and max(lrs) > 0 else 1.0,
        jumps=tuple(_jumps(curve.micro, loads)) if whole else (),
        rise=_rise(curve.evals, x[finite], y[finite]),
    )
    return trend(name, x, y, told)


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


def _ce(step: MicroStep) -> float:
    return step.loss if step.ce is None else step.ce


def _jumps(micro: Sequence[MicroStep], loads: Sequence[int]) -> list[Jump]:
    found = []
    for at in loads:
        width = min(20, at, len(micro) - at)
        if width < 5:
            continue
        sides = [np.array([_ce(m) for m in part]) for part in (micro[at - width : at], micro[at:])]
        leap = jump(micro[at].update, sides[0], sides[1][: max(5, width // 2)], width)
        found += [] if leap is None else [leap]
    return found


def _rise(evals: Sequence[EvalPoint], x: Array, y: Array) -> Rise | None:
    """Evaluations of one and the same set: equal numbers of labels, up to resampled masks."""
    if len(evals) < 4 or not len(y):
        return None
    size = float(np.median([e.labels for e in evals]))
    same = [e for e in evals if abs(e.labels - size) <= 0.2 * size and math.isfinite(e.loss)]
    return rise([e.update for e in same], [e.loss for e in same], x, y)
