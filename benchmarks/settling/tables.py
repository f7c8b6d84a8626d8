"""Paired differences with their intervals, as numbers and as rows of a table."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev

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
    other: str = ""
    """The arm it is compared with."""
    from_base: "Effect | None" = None
    """Where that is not the base: the same arm against the base."""


def effects(plan: Plan, folder: Path, seeds: Sequence[int], measured: str) -> list[Effect]:
    """One for each arm that has a value of ``measured``."""
    held = {arm: values(folder, arm, seeds, measured) for arm in plan.arms}
    found = []
    for arm in plan.arms:
        if not held[arm]:
            continue
        if arm == plan.base or arm in plan.apart:
            found.append(Effect(arm, held[arm]))
            continue
        other = plan.against.get(arm, plan.base)
        one = effect(arm, held[arm], other, held.get(other, {}))
        if other != plan.base and other not in plan.apart:
            one = replace(one, from_base=effect(arm, held[arm], plan.base, held[plan.base]))
        found.append(one)
    return found


def values(folder: Path, arm: str, seeds: Sequence[int], measured: str) -> dict[int, float]:
    """The arm's finished runs by seed."""
    found = {seed: numbers(folder / f"{folder_name(arm)}-{seed}") for seed in seeds}
    return {seed: n[measured] for seed, n in found.items() if n is not None and measured in n}


def effect(arm: str, own: dict[int, float], other: str, base: dict[int, float]) -> Effect:
    """The arm against what it is compared with, over the seeds that both have."""
    gaps = [own[s] - base[s] for s in own if s in base]
    gaps = [gap for gap in gaps if math.isfinite(gap)]
    if len(gaps) < 2:
        return Effect(arm, own, gaps[0] if gaps else None, pairs=len(gaps), other=other)
    middle, half = fmean(gaps), half_interval(gaps)
    return Effect(arm, own, middle, middle - half, middle + half, len(gaps), stdev(gaps), other)


def half_interval(gaps: Sequence[float]) -> float:
    """Half the 95 % interval of their mean (Student's t)."""
    return float(stats.t.ppf(0.975, len(gaps) - 1)) * stdev(gaps) / math.sqrt(len(gaps))


def markdown(plan: Plan, found: Sequence[Effect], measured: str, digits: int = 3) -> str:
    """The table of a page: arm, seeds, mean, sd, paired difference with its interval.

    Two more columns where arms are compared with another than the base: these against the base.
    """
    heads = ["arm", "seeds", measured, "sd over seeds", "difference (paired)", "95 % interval"]
    both = any(each.from_base for each in found)
    heads += [f"from {plan.base}", "95 % interval"] if both else []
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for each in found:
        finite = [v for v in each.values.values() if math.isfinite(v)]
        other = plan.against.get(each.arm)
        name = each.arm if other is None else f"{each.arm} (against: {other})"
        spread = f"{stdev(finite):.{digits}f}" if len(finite) > 1 else "–"
        cells = [name, str(len(each.values)), mean_of(each.values.values(), digits), spread]
        cells += gap_of(each, digits)
        cells += gap_of(each.from_base, digits) if both else []
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def gap_of(each: Effect | None, digits: int) -> list[str]:
    """The difference and its interval, in bold where that excludes 0, as two cells."""
    if each is None or each.difference is None:
        return ["–", "–"]
    gap = f"{each.difference:+.{digits}f}"
    if each.low is None or each.high is None:
        return [gap, "–"]
    decided = "**" if each.low > 0 or each.high < 0 else ""
    return [gap, f"{decided}[{each.low:+.{digits}f}, {each.high:+.{digits}f}]{decided}"]


def mean_of(values: Collection[float], digits: int) -> str:
    """Of those that are finite; a dash where there are none at all."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return f"{fmean(finite):.{digits}f}"
    return "not finite" if values else "–"


def noise(found: Sequence[Effect], digits: int = 3) -> str:
    """How far seeds alone move a difference, by the arm that others are compared with.

    Not pooled: an arm that leaves a plateau early with one seed and late with another is as noisy
    as ten that do not.
    """
    spreads: dict[str, list[float]] = {}
    for each in found:
        for one in (each, each.from_base):
            if one is not None and one.spread is not None:
                spreads.setdefault(one.other, []).append(one.spread)
    if not spreads:
        return ""
    told = [
        f"{median(sds):.{digits}f} against {other} ({min(sds):.{digits}f} to {max(sds):.{digits}f})"
        for other, sds in spreads.items()
    ]
    count = sum(map(len, spreads.values()))
    return (
        f"Seed noise, the sd of a paired difference, in the middle of the arms: {'; '.join(told)}. "
        f"By chance alone {0.05 * count:.1f} of {count} intervals would exclude 0."
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
