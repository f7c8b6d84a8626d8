"""Runs side by side as a table, and their curves over what they spent."""

from collections.abc import Iterator

from shindan.core.evidence.axes import AXES
from shindan.core.evidence.pairs import Comparison, Meeting, Pair, Quoted, Side
from shindan.report.board import Board
from shindan.report.chart import Line
from shindan.report.numbers import number
from shindan.report.words import Words

FACTS = ("model", "parameters", "layers", "width", "batch", "tokens_per_update", "length", "rate",
    "schedule", "optimizer", "vocabulary", "tokenizer", "bytes_per_token", "positions",
    "reduction", "padding", "smoothing", "data", "seed")  # fmt: skip


WIDEST = 5
"""Runs side by side in a terminal; more are left to pages."""


def board(comparison: Comparison, say: Words) -> Board:
    """Every way to read the losses, what was spent, what differs, and where the runs meet."""
    sides = comparison.sides
    rows = [*_quoted(sides, say), *_spent(sides, say), *_facts(sides, say)]
    met: dict[str, tuple[str, ...]] = {}
    for other, pair in enumerate(comparison.pairs, 1):
        for name, cells in _met(pair, other, len(sides), say):
            known = met.get(name, cells)
            together = tuple(one or new for one, new in zip(known, cells, strict=True))
            name = name if known[0] == cells[0] else f"{name} {chr(ord('A') + other)}"
            met[name] = together if known[0] == cells[0] else cells
    rows += met.items()
    letters = (f"{chr(ord('A') + i)}: {side.name}" for i, side in enumerate(sides))
    lacking = any(side.facts.of("updates") is None for side in sides) or any(
        side.facts.of("tokens") is None for side in sides
    )
    lacking = lacking or any(pair.gap and pair.gap.mixed for pair in comparison.pairs)
    notes = (say("compared_hint"),) if lacking else ()
    wide = len(sides) > WIDEST
    return Board(say("section_compared"), tuple(letters), tuple(rows), notes, wide)


def lines(comparison: Comparison) -> tuple[Line, ...]:
    """The curves, with dots where they are few."""
    drawn = comparison.overlay
    if drawn is None:
        return ()
    return tuple(Line(name, points, dots=len(points) < 60) for name, _, points in drawn.curves)


def _quoted(sides: tuple[Side, ...], say: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    told = tuple(_reading(s.quoted, say) if s.quoted else say("not_known") for s in sides)
    yield say("compared_quoted"), told
    seen = dict.fromkeys((q.over, q.of) for s in sides for q in s.readings)
    for over, of in seen:
        values = [s.read(over, of) for s in sides]
        if sum(v is not None for v in values) > 1:
            name = say(f"reading_{over}", of=say(f"of_{of}"))
            yield name, tuple(say("not_known") if v is None else f"{v:.5g}" for v in values)


def _reading(quoted: Quoted, say: Words) -> str:
    over = say(f"reading_{quoted.over}", of=say(f"of_{quoted.of}"))
    return say("measured", name=f"{quoted.value:.5g}", value=over)


def _spent(sides: tuple[Side, ...], say: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    for axis in AXES:
        values = [side.facts.of(axis) for side in sides]
        told = tuple(say("not_known") if v is None else amount(v) for v in values)
        if axis == "seconds":
            told = tuple(_timed(t, side, say) for t, side in zip(told, sides, strict=True))
        yield say(f"spent_{axis}"), told


def _timed(seconds: str, side: Side, say: Words) -> str:
    """The seconds with where they come from."""
    clock = side.facts.clock
    return seconds if clock is None else say("by_clock", value=seconds, clock=say(f"clock_{clock}"))


def _facts(sides: tuple[Side, ...], say: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in FACTS:
        values = [getattr(side.facts, name) for side in sides]
        if any(v is not None for v in values):
            told = (say("not_known") if v is None else amount(v) for v in values)
            yield say(f"known_{name}"), tuple(told)


def _met(pair: Pair, other: int, runs: int, say: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The first run and this one at equal budgets; the cells of the others stay empty."""
    unit = say("bits_per_byte" if pair.per_byte else "nats")
    for met in pair.meetings:
        cells = [""] * runs
        cells[0] = _level(met.a, met.at_a, met.rate_a, met, say)
        cells[other] = _level(met.b, met.at_b, met.rate_b, met, say)
        name = say("met_at", axis=say(f"spent_{met.axis}"), at=amount(met.at), unit=unit)
        yield name, tuple(cells)


def _level(value: float, at: float, rate: float | None, met: Meeting, say: Words) -> str:
    """The level; where it was measured elsewhere, and what was left of the learning rate."""
    near = abs(at - met.at) <= 1e-9 * met.at
    told = f"{value:.5g}" if near else say("measured_at", value=f"{value:.5g}", at=amount(at))
    return say("rate_left", value=told, left=f"{rate:.0%}") if met.schedules_differ else told


def give_or_take(value: str, error: float, say: Words) -> str:
    """With the half of its 95 % interval, where an error is known."""
    return say("give_or_take", value=value, error=f"{2 * error:.4f}") if error else value


def amount(value: float | str) -> str:
    """A budget or a setting: whole where it is large; a word as it is."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 1000 and value < 1e15 else number(value)
