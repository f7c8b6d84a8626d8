"""What the differences to the first run go with: a table, its notes, and a waterfall."""

from collections.abc import Iterator

from shindan.core.evidence.gap import CAUSES, Cause, Gap, Part
from shindan.core.evidence.pairs import Comparison, Pair
from shindan.core.reason import Reason
from shindan.report.board import Board
from shindan.report.compared import give_or_take
from shindan.report.reasons import told
from shindan.report.terms import worded
from shindan.report.waterfall import Bar, Waterfall
from shindan.report.words import Words

NAMED = 2
"""Causes that the label of a bar has room for."""
DRAWN = 4
"""Pairs that are drawn; of more the table tells."""


def board(comparison: Comparison, say: Words) -> Board | None:
    """A column a run, a row a cause; the shares add up to the difference at the ends."""
    pairs = [pair for pair in comparison.pairs if pair.gap is not None]
    if not pairs:
        return None
    gaps = [pair.gap for pair in pairs if pair.gap is not None]
    used = [c for c in CAUSES if any(c in part.of for gap in gaps for part in gap.parts)]
    rows = [(say("share_total"), tuple(_value(gap.total, gap.error, say) for gap in gaps))]
    for cause in used:
        rows.append((say(f"cause_{cause}"), tuple(_cell(gap, cause, say) for gap in gaps)))
    if any(gap.mixed for gap in gaps):
        rows.append((say("share_mixed"), tuple(_mixed(gap, say) for gap in gaps)))
    for law in ("kaplan", "hoffmann"):
        if any(e.law == law for gap in gaps for e in gap.expected):
            cells = tuple(
                next((f"{e.value:+.3f}" for e in gap.expected if e.law == law), "") for gap in gaps
            )
            rows.append((say(f"law_{law}"), cells))
    unit = say("bits_per_byte" if any(p.per_byte for p in pairs) else "nats")
    title = say("section_shares", run=pairs[0].a.name, unit=unit)
    names = tuple(pair.b.name for pair in pairs)
    return Board(title, names, tuple(rows), notes=tuple(dict.fromkeys(_notes(pairs, say))))


def waterfalls(comparison: Comparison, say: Words) -> list[Waterfall]:
    """One of each pair, the shares in the order of their reading and their sum."""
    made = []
    for pair in comparison.pairs[:DRAWN]:
        gap = pair.gap
        if gap is None or not any(part.value for part in gap.parts):
            continue
        bars, at = [], 0.0
        for part in gap.parts:
            bars.append(Bar(_names(part, say), at, at + part.value, 2 * part.error))
            at += part.value
        bars.append(Bar(say("share_total"), 0.0, gap.total, 2 * gap.error, whole=True))
        told_parts = say("between").join(
            say("measured", name=bar.label, value=_value(bar.end - bar.start, bar.spread / 2, say))
            for bar in bars
        )
        title = say("chart_shares", a=pair.a.name, b=pair.b.name)
        made.append(Waterfall(title, told_parts, _axis(pair, say), tuple(bars)))
    return made


def _axis(pair: Pair, say: Words) -> str:
    return say("axis_shares", unit=say("bits_per_byte" if pair.per_byte else "nats"))


def _names(part: Part, say: Words) -> str:
    if len(part.of) > NAMED:
        return say("share_several")
    return " + ".join(say(f"cause_{cause}") for cause in part.of)


def _cell(gap: Gap, cause: Cause, say: Words) -> str:
    part = gap.part(cause)
    if part is None or part.how == "mixed":
        return say("share_open") if any(cause in p.of for p in gap.parts) else ""
    if part.how == "equal":
        return say("share_equal")
    return _value(part.value, part.error, say)


def _mixed(gap: Gap, say: Words) -> str:
    part = gap.mixed
    return "" if part is None else _value(part.value, part.error, say)


def _value(value: float, error: float, say: Words) -> str:
    return give_or_take(f"{value:+.4f}", error, say)


def _notes(pairs: list[Pair], say: Words) -> Iterator[str]:
    """How each share was read or why not; what is taken as equal; the fair rerun."""
    comma = "、" if say.language == "ja" else ", "
    said: dict[str, list[str]] = {}
    for pair in pairs:
        for text in _of(pair, len(pairs) > 1, say):
            said.setdefault(text, []).append(f"`{pair.b.name}`")
    for text, names in said.items():
        every = len(names) == len(pairs)
        yield text if every else say("measured", name=comma.join(names), value=text)
    for pair in pairs:
        if pair.rerun:
            yield say("share_rerun", b=pair.b.name, a=pair.a.name, rerun=pair.rerun)
    if any(pair.gap and pair.gap.expected for pair in pairs):
        yield say("law_note")
    yield say("share_note")
    assumed = dict.fromkeys(n for p in pairs if p.gap for n in p.gap.assumed)
    if assumed:
        yield say("share_assumed", names=comma.join(say(f"known_{n}") for n in assumed))


_PLAIN = ("gap-budget-equal", "gap-schedule-equal", "gap-rate-equal", "gap-size-equal",
    "gap-schedule-said")  # fmt: skip
"""Of several runs only what is not plain is told."""


def _of(pair: Pair, several: bool, say: Words) -> Iterator[str]:
    """What is to be noted of one pair's shares."""
    gap = pair.gap
    if gap is None:
        return
    for cause, note in gap.notes:
        if not several or note.key not in _PLAIN:
            yield say("measured", name=say(f"cause_{cause}"), value=_told(note, say))
    if gap.fits is not None:
        yield say(f"fits_{gap.fits}")


def _told(note: Reason, say: Words) -> str:
    values = {k: v for k, v in worded(dict(note.values), say.language).items()}
    plain = {k: v for k, v in values.items() if not isinstance(v, tuple)}
    return told(Reason(note.key, plain), say.language)
