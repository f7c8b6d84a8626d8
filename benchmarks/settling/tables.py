"""Paired differences with their intervals, as numbers and as rows of a table."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from scipy import stats

from settling.plan import Plan
from settling.runs import folder_name, numbers


@dataclass(frozen=True)
class Effect:
    """Of one arm: its values by seed, and how far they are from those it is compared with."""

    arm: str
    values: dict[int, float]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """The paired difference (arm minus base), mean and 95 % interval by Student's t."""
    pairs: int = 0
    spread: float | None = None
    """Standard deviation of the paired differences."""


def effects(plan: Plan, folder: Path, seeds: Sequence[int], measured: str) -> list[Effect]:
    """One for each arm that has a value of ``measured``."""
    held = {arm: values(folder, arm, seeds, measured) for arm in plan.arms}
    return [
        effect(arm, held[arm], held.get(plan.against.get(arm, plan.base), {}), plan)
        for arm in plan.arms
        if held[arm]
    ]


def values(folder: Path, arm: str, seeds: Sequence[int], measured: str) -> dict[int, float]:
    """The arm's finished runs by seed."""
    found = {seed: numbers(folder / f"{folder_name(arm)}-{seed}") for seed in seeds}
    return {seed: n[measured] for seed, n in found.items() if n is not None and measured in n}


def effect(arm: str, own: dict[int, float], base: dict[int, float], plan: Plan) -> Effect:
    """The arm against what it is compared with, over the seeds that both have."""
    if arm == plan.base or arm in plan.apart:
        return Effect(arm, own)
    gaps = [own[s] - base[s] for s in own if s in base]
    gaps = [gap for gap in gaps if math.isfinite(gap)]
    if len(gaps) < 2:
        return Effect(arm, own, gaps[0] if gaps else None, pairs=len(gaps))
    middle, half = fmean(gaps), half_interval(gaps)
    return Effect(arm, own, middle, middle - half, middle + half, len(gaps), stdev(gaps))


def half_interval(gaps: Sequence[float]) -> float:
    """Half the 95 % interval of their mean (Student's t)."""
    return float(stats.t.ppf(0.975, len(gaps) - 1)) * stdev(gaps) / math.sqrt(len(gaps))


def markdown(plan: Plan, found: Sequence[Effect], measured: str, digits: int = 3) -> str:
    """The table of a page: arm, seeds, mean, sd, paired difference with its interval."""
    rows = [
        f"| arm | seeds | {measured} | sd over seeds | difference (paired) | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        finite = [v for v in each.values.values() if math.isfinite(v)]
        mean = mean_of(each.values.values(), digits)
        spread = f"{stdev(finite):.{digits}f}" if len(finite) > 1 else "–"
        gap = "–" if each.difference is None else f"{each.difference:+.{digits}f}"
        if each.low is None or each.high is None:
            span = "–"
        else:
            decided = "**" if each.low > 0 or each.high < 0 else ""
            span = f"{decided}[{each.low:+.{digits}f}, {each.high:+.{digits}f}]{decided}"
        other = plan.against.get(each.arm)
        name = each.arm if other is None else f"{each.arm} (against: {other})"
        rows.append(f"| {name} | {len(each.values)} | {mean} | {spread} | {gap} | {span} |")
    return "\n".join(rows)


def mean_of(values: Collection[float], digits: int) -> str:
    """Of those that are finite; a dash where there are none at all."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return f"{fmean(finite):.{digits}f}"
    return "not finite" if values else "–"


def noise(found: Sequence[Effect], digits: int = 3) -> str:
    """A sentence: how far seeds alone move a difference, pooled over the arms."""
    spreads = [(each.spread, each.pairs) for each in found if each.spread is not None]
    if not spreads:
        return ""
    freedom = sum(pairs - 1 for _, pairs in spreads)
    pooled = math.sqrt(sum((pairs - 1) * sd**2 for sd, pairs in spreads) / freedom)
    fewest = min(pairs for _, pairs in spreads)
    seen = float(stats.t.ppf(0.975, freedom)) * pooled / math.sqrt(fewest)
    return (
        f"Seed noise: a paired difference has sd {pooled:.{digits}f} (pooled over {len(spreads)} "
        f"comparisons); with {fewest} seeds a mean difference beyond {seen:.{digits}f} stands "
        f"out of it. By chance alone about {0.05 * len(spreads):.1f} of {len(spreads)} intervals "
        "exclude 0."
    )


def summary(plan: Plan, folder: Path, seeds: Sequence[int], digits: int = 3) -> str:
    """The plan's ``beside``, one column each, as means over seeds."""
    rows = [f"| arm | {' | '.join(plan.beside)} |", "|---" * (1 + len(plan.beside)) + "|"]
    for arm in plan.arms:
        columns = [values(folder, arm, seeds, measured).values() for measured in plan.beside]
        if any(columns):
            cells = [mean_of(column, digits) for column in columns]
            rows.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(rows)
