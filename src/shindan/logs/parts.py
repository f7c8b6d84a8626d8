"""What the difference of two runs goes with: budget, schedule, learning rate and batch, size.

The way is one of reading: first both at an equal budget, then at the same part of their schedules,
then at one learning rate where a sweep tells what it makes. What remains goes with what remains to
differ, if that is one thing; several are not told apart. The shares add up to the difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.gap import Cause, Gap, How, Part
from shindan.core.evidence.pairs import DECAY, Facts, Meeting, Pair
from shindan.core.evidence.sweeps import Sweep, Swept
from shindan.core.reason import Reason
from shindan.core.sizes import expected, fits
from shindan.logs.decays import by_steps, drop, left, same_way
from shindan.logs.differing import other_model, others
from shindan.logs.meeting import end_of, level_of
from shindan.logs.parabola import Parabola, parabola
from shindan.logs.sides import Of, Run

LEARNING: tuple[Axis, ...] = ("updates", "tokens", "epochs")
"""Axes on which equal budgets have had as much to learn by, the first that is known."""
SAME = 0.01
"""Budgets and sizes within this of each other are equal."""
RATES = 0.05
"""Learning rates within this of each other are: a log may lack the very peak."""
SCRIPT = 0.8
"""Share of names in common from which two logs are of one script: an option or two may differ."""
EQUAL = 0.1
"""Budgets within this of each other, as far as a sweep can tell for a pair."""
WHOLE = 5
"""Values that are equal to the last figure in one run alone."""
NAMED = 6
"""Settings that are told by name."""
ASSUMED = ("data", "tokenizer", "optimizer")
"""Facts that make another loss, and that logs seldom hold."""


Values = dict[str, int | float | str]


@dataclass
class _Reading:
    """What is known so far: the shares, the notes, and what is left of the gap."""

    pair: Pair
    left: float
    error: float
    parts: list[Part] = field(default_factory=list)
    notes: list[tuple[Cause, Reason]] = field(default_factory=list)
    open: list[tuple[Cause, bool]] = field(default_factory=list)
    """Causes without a share: whether they are known to differ."""

    def take(self, cause: Cause, value: float, error: float, how: How, note: Reason) -> None:
        self.parts.append(Part((cause,), value, error, how))
        self.left -= value
        self.notes.append((cause, note))

    def leave(self, cause: Cause, differs: bool, note: Reason) -> None:
        self.open.append((cause, differs))
        self.notes.append((cause, note))


def split(
    a: Run, b: Run, pair: Pair, scale: tuple[float, float], sweeps: Sequence[Sweep]
) -> Gap | None:
    """The shares of one pair's gap; ``scale`` brings each side's nats into the pair's unit.

    None where the losses cannot be held against each other at all.
    """
    if pair.ends is None:
        return None
    met = next((m for axis in LEARNING if (m := pair.meeting(axis))), None)
    reading = _Reading(pair, pair.ends.gap, pair.ends.error)
    one, other = pair.a.facts, pair.b.facts
    if met is None:
        reading.leave("budget", True, Reason("gap-no-common-budget"))
    else:
        _budget(reading, a, b, met, scale)
        _other_tokens(reading, one, other, met)
    if met is not None and same_values(a, b, pair.of, met.axis):
        reading.take("rest", reading.left, 0.0, "equal", Reason("gap-same-run"))
    else:
        _schedule(reading, a, b, met, scale)
        _rate(reading, one, other, met, sweeps)
        _size(reading, a, b)
        _others(reading, a, b)
        _remainder(reading)
    gap = Gap(
        pair.ends.gap, pair.ends.error, tuple(reading.parts),
        met.axis if met else None, met.at if met else 0.0, tuple(reading.notes),
        assumed=tuple(n for n in ASSUMED if None in (getattr(one, n), getattr(other, n))),
    )  # fmt: skip
    return _beside_laws(gap, pair, met)


def _budget(reading: _Reading, a: Run, b: Run, met: Meeting, scale: tuple[float, float]) -> None:
    """What closes of the gap when the run that spent more is read where the other ended."""
    axis, of = met.axis, reading.pair.of
    reach = a.reach(of, axis) or 0.0, b.reach(of, axis) or 0.0
    values: Values = {"axis": axis, "at": met.at}
    if abs(reach[0] - reach[1]) <= SAME * max(reach):
        reading.take("budget", 0.0, 0.0, "equal", Reason("gap-budget-equal", values))
        return
    long, by = (a, scale[0]) if reach[0] > reach[1] else (b, scale[1])
    levels = end_of(long, of), level_of(long, of, axis, met.at)
    error = by * math.hypot(*(found[2] for found in levels if found is not None))
    total = reading.left
    reading.take("budget", total - met.gap, error, "measured", Reason("gap-budget", values))
    reading.error = met.error


def _other_tokens(reading: _Reading, a: Facts, b: Facts, met: Meeting) -> None:
    """Equal updates of unequal batches are unequal tokens: these go with the batch."""
    each = a.tokens_per_update, b.tokens_per_update
    if met.axis == "updates" and near(each[0], each[1], EQUAL) is False:
        values: Values = {"one": each[0] or 0.0, "other": each[1] or 0.0}
        reading.notes.append(("budget", Reason("gap-budget-tokens", values)))


def _schedule(
    reading: _Reading, a: Run, b: Run, met: Meeting | None, scale: tuple[float, float]
) -> None:
    """Both where they met: at one part of one schedule, or one of them after its decay."""
    if met is None:
        reading.leave("schedule", False, Reason("gap-schedule-nowhere"))
        return
    told = a.side.facts.schedule, b.side.facts.schedule
    shares = left(a, met.axis, met.at_a), left(b, met.axis, met.at_b)
    if None in shares and told[0] is not None and told[0] == told[1]:
        budget = next((p for p in reading.parts if p.of == ("budget",)), None)
        if budget is not None and budget.how == "equal":
            said = Reason("gap-schedule-said", {"schedule": told[0]})
            reading.take("schedule", 0.0, 0.0, "equal", said)
            return
    for run, share in zip((a, b), shares, strict=True):
        if share is None:
            known = Reason("gap-schedule-not-known", {"run": run.side.name})
            reading.leave("schedule", _told_apart(a, b), known)
            return
    one, other = shares[0] or 0.0, shares[1] or 0.0
    values: Values = {"left_a": one, "left_b": other}
    if abs(one - other) <= DECAY:
        if min(one, other) >= 1 - DECAY or same_way(a, b, met.axis, met.at):
            reading.take("schedule", 0.0, 0.0, "equal", Reason("gap-schedule-equal", values))
        elif by_steps(a) or by_steps(b):
            reading.leave("schedule", False, Reason("gap-schedule-steps", values))
        else:
            reading.leave("schedule", True, Reason("gap-schedule-shape", values))
        return
    decayed, sign, by = (a, -1.0, scale[0]) if one < other else (b, 1.0, scale[1])
    fell = drop(decayed, reading.pair.of, met.axis, met.at)
    values |= {"run": decayed.side.name}
    if fell is None:
        reading.leave("schedule", True, Reason("gap-schedule-decay", values))
        return
    reading.take("schedule", sign * by * fell[0], by * fell[1], "measured",
                 Reason("gap-schedule-measured", values))  # fmt: skip
    reading.error = math.hypot(reading.error, by * fell[1])


def _told_apart(a: Run, b: Run) -> bool:
    one, other = a.side.facts.schedule, b.side.facts.schedule
    return one is not None and other is not None and one != other


def same_values(a: Run, b: Run, of: Of, axis: Axis) -> bool:
    """Are both logs one run's, value for value, as far as they go together?"""
    (x, y), (u, v) = a.points(of, axis), b.points(of, axis)
    n = min(len(x), len(u))
    return n >= WHOLE and np.array_equal(x[:n], u[:n]) and np.array_equal(y[:n], v[:n])


def _rate(
    reading: _Reading, a: Facts, b: Facts, met: Meeting | None, sweeps: Sequence[Sweep]
) -> None:
    """Learning rate and batch: equal, measured by a sweep at one size, or left."""
    rates = near(a.rate, b.rate, RATES)
    batches = near(a.batch, b.batch, SAME)
    if batches is None:
        batches = near(a.tokens_per_update, b.tokens_per_update, 2 * SAME)
    tried = sweeps if met is None else [s for s in sweeps if _beside(s, met)]
    if rates is False and batches is True and _swept(reading, "rate", a, b, tried):
        return
    if rates is True and batches is False and _swept(reading, "batch", a, b, tried):
        return
    if rates is True and batches is True:
        values = {"rate": a.rate or 0.0}
        reading.take("rate", 0.0, 0.0, "equal", Reason("gap-rate-equal", values))
    elif rates is False or batches is False:
        reading.leave("rate", True, Reason("gap-rate-differs", {"differ": _pairs(a, b)}))
    elif rates is None:
        reading.leave("rate", False, Reason("gap-rate-not-known"))
    else:
        reading.leave("rate", False, Reason("gap-batch-not-known"))


def _beside(sweep: Sweep, met: Meeting) -> bool:
    """Was the sweep read at about the budget the pair is read at?"""
    return sweep.axis == met.axis and abs(sweep.at - met.at) <= EQUAL * met.at


def _swept(reading: _Reading, over: Swept, a: Facts, b: Facts, sweeps: Sequence[Sweep]) -> bool:
    """From the first run's rate or batch to the second's, at the size a sweep was made at."""
    one, other = float(getattr(a, over) or 0.0), float(getattr(b, over) or 0.0)
    names = {reading.pair.a.name, reading.pair.b.name}
    for sweep in sweeps:
        inside = all(sweep.tried[0].value <= r <= sweep.tried[-1].value for r in (one, other))
        tried = names & {t.name for t in sweep.tried}
        if sweep.over != over or not inside or len(tried) != 1:
            continue
        curve: Parabola = parabola(sweep.tried)
        value, error = curve.between(one, other)
        values: Values = {
            "one": one, "other": other, "n": len(sweep.tried), "run": tried.pop(),
        }  # fmt: skip
        reading.take("rate", value, error, "measured", Reason("gap-rate-swept", values))
        reading.error = math.hypot(reading.error, error)
        return True
    return False


def _pairs(a: Facts, b: Facts) -> str:
    made = []
    for name in ("rate", "batch"):
        one, other = getattr(a, name), getattr(b, name)
        if one is not None and other is not None and one != other:
            made.append(f"{one:,.6g} / {other:,.6g}")
    return ", ".join(made)


def _size(reading: _Reading, one: Run, other: Run) -> None:
    a, b = one.side.facts, other.side.facts
    same = near(a.parameters, b.parameters, SAME)
    if same is None:
        built = [near(a.layers, b.layers, 0.0), near(a.width, b.width, 0.0)]
        same = False if False in built else True if built == [True, True] else None
        same = False if other_model(one, other) else same
    if same:
        reading.take("size", 0.0, 0.0, "equal", Reason("gap-size-equal"))
    elif same is False:
        reading.leave("size", True, Reason("gap-size-differs"))
    else:
        reading.leave("size", False, Reason("gap-size-not-known"))


def _others(reading: _Reading, a: Run, b: Run) -> None:
    """Settings of other kinds that differ; of other scripts nobody knows what else does."""
    names = others(a, b)
    if names:
        reading.leave("other", True, Reason("gap-others", {"names": ", ".join(names[:NAMED])}))
    elif not a.script or len(a.script & b.script) < SCRIPT * len(a.script | b.script):
        reading.leave("other", False, Reason("gap-other-script"))


def _remainder(reading: _Reading) -> None:
    """What is left goes with the one thing left to differ, or with several together."""
    causes = tuple(cause for cause, _ in reading.open)
    if not causes:
        reading.take("rest", reading.left, reading.error, "left", Reason("gap-rest"))
    elif len(causes) == 1 and reading.open[0][1] and causes[0] not in ("budget", "other"):
        reading.parts.append(Part(causes, reading.left, reading.error, "left"))
        reading.notes.append((causes[0], Reason("gap-left")))
    else:
        reading.parts.append(Part(causes, reading.left, reading.error, "mixed"))
        if ("rate", True) in reading.open:
            reading.notes.append(("rate", Reason("gap-rate-sweep")))


def _beside_laws(gap: Gap, pair: Pair, met: Meeting | None) -> Gap:
    """What sizes alone would be expected to make, where both are known and losses are nats."""
    one, other = pair.a.facts, pair.b.facts
    if met is None or pair.per_byte or near(one.parameters, other.parameters, SAME) is not False:
        return gap
    if {one.positions, other.positions} - {None, "all"}:
        return gap  # the laws are of causal language models
    small = met.a if (one.parameters or 0) < (other.parameters or 0) else met.b
    laws = expected(small, without_table(one), without_table(other))
    part = gap.part("size")
    return replace(gap, expected=laws, fits=fits(part, laws) if part is not None else None)


def without_table(facts: Facts) -> float:
    """Parameters without the token table, where its sides are known."""
    total, table = facts.parameters or 0.0, (facts.vocabulary or 0.0) * (facts.width or 0.0)
    return total - table if table < total else total


def near(one: float | None, other: float | None, within: float) -> bool | None:
    """Equal but for a relative difference; None where either is not known."""
    if one is None or other is None:
        return None
    return abs(one - other) <= within * max(abs(one), abs(other))
