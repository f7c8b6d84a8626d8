"""More than two runs: their order at one budget, and those that differ in one thing alone."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.pairs import Facts, other_quantity, other_tokens
from shindan.core.evidence.sweeps import Ranked, Ranking, Sweep, Swept, Tried
from shindan.logs.decays import left
from shindan.logs.meeting import level_of
from shindan.logs.parabola import parabola
from shindan.logs.parts import LEARNING
from shindan.logs.sides import Of, Run

FEWEST = 3
"""Runs that are a sweep; two are a pair."""
CAUSES: tuple[Swept, ...] = ("rate", "batch", "parameters", "layers")
FACTS = ("rate", "batch", "parameters", "layers", "width", "length", "schedule", "optimizer",
    "model",    "vocabulary", "tokenizer", "smoothing", "padding", "positions", "reduction",
    "data")  # fmt: skip
"""What tells runs apart; a seed does not."""
WITH = {"parameters": ("parameters", "layers", "width")}
"""Facts that go with a cause."""
SHORT = 0.5
"""Runs that ended before this share of the usual budget stand aside: at theirs none would tell."""
FIGURES = 2
"""Figures to which learning rates are compared: a log may lack the very peak."""


def ranking(runs: Sequence[Run], of: Of) -> Ranking | None:
    """All runs at the largest budget that every one of them has reached; None of two."""
    axis = _common(runs, of)
    if len(runs) < FEWEST or axis is None:
        return None
    reach = {i: far for i, run in enumerate(runs) if (far := run.reach(of, axis)) is not None}
    usual = median(reach.values())
    at = min(far for far in reach.values() if far >= SHORT * usual)
    found = {i: level for i in reach if (level := level_of(runs[i], of, axis, at)) is not None}
    ordered = sorted(found, key=lambda i: found[i][1])
    placed: list[Ranked] = []
    for n, i in enumerate(ordered, 1):
        there, value, error = found[i]
        first = next((p for p in placed if p.place == placed[-1].place), None)
        alike = first is not None and value - first.level <= 2 * math.hypot(error, first.error)
        place = first.place if first and alike else n
        placed.append(Ranked(i, value, error, place, left(runs[i], axis, there)))
    absent = tuple(i for i in range(len(runs)) if i not in found)
    facts = [run.side.facts for run in runs]
    varied = tuple(n for n in FACTS if len({_key(f, n) for f in facts} - {None}) > 1)
    return Ranking(axis, at, tuple(placed), varied, absent) if len(placed) > 1 else None


def common_set(runs: Sequence[Run]) -> Of:
    """Validation losses where every run has them."""
    return "validation" if all("validation" in run.curves for run in runs) else "training"


def one_text(runs: Sequence[Run]) -> bool:
    """Whether the losses of all runs are one quantity per the same tokens, as far as is known."""
    first = runs[0].side.facts
    return not any(
        other_tokens(first, run.side.facts) or other_quantity(first, run.side.facts)
        for run in runs[1:]
    )


def sweeps(runs: Sequence[Run], of: Of) -> tuple[Sweep, ...]:
    """Groups of three runs or more that differ in one thing, at the budget they all reached."""
    made = []
    for over in CAUSES:
        groups: dict[tuple[object, ...], list[int]] = {}
        for i, run in enumerate(runs):
            facts = run.side.facts
            if getattr(facts, over) and not (over == "layers" and facts.parameters):
                rest = tuple(_key(facts, n) for n in FACTS if n not in WITH.get(over, (over,)))
                groups.setdefault(rest, []).append(i)
        for group in groups.values():
            found = _sweep(over, group, runs, of)
            if found is not None:
                made.append(found)
    return tuple(made)


def _sweep(over: Swept, group: Sequence[int], runs: Sequence[Run], of: Of) -> Sweep | None:
    axis = _common([runs[i] for i in group], of)
    if axis is None:
        return None
    reach = [runs[i].reach(of, axis) for i in group]
    at = min(far for far in reach if far is not None)
    seeds: dict[object, list[Tried]] = {}
    for i in group:
        level = level_of(runs[i], of, axis, at)
        if level is not None:
            side = runs[i].side
            one = Tried(i, side.name, getattr(side.facts, over), level[1], level[2])
            seeds.setdefault(_key(side.facts, over), []).append(one)
    tried = tuple(sorted(map(_mean, seeds.values()), key=lambda t: t.value))
    if len(tried) < FEWEST:
        return None
    lowest = parabola(tried).lowest
    inside = lowest is not None and tried[0].value <= lowest <= tried[-1].value
    return Sweep(over, axis, at, tried, lowest if inside else None)


def _mean(seeds: Sequence[Tried]) -> Tried:
    """Runs of one value: their mean, with the larger of what points and what seeds say."""
    n = len(seeds)
    level = sum(t.level for t in seeds) / n
    points = math.hypot(*(t.error for t in seeds)) / n
    spread = math.sqrt(sum((t.level - level) ** 2 for t in seeds) / (n - 1) / n) if n > 1 else 0.0
    return replace(seeds[0], level=level, error=max(points, spread), seeds=n)


def _common(runs: Sequence[Run], of: Of) -> Axis | None:
    """The axis that is known of all runs, else of most."""
    known = {axis: sum(run.reach(of, axis) is not None for run in runs) for axis in LEARNING}
    best = max(LEARNING, key=lambda axis: known[axis])
    return best if known[best] > 1 else None


def _key(facts: Facts, name: str) -> object:
    value = getattr(facts, name)
    return float(f"{value:.{FIGURES}g}") if name == "rate" and value is not None else value
