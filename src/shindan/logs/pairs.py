"""Runs to compare -> pairs: what their losses are, where they meet, what else differs."""

import math
from collections.abc import Sequence
from dataclasses import replace

from shindan.core.evidence.axes import AXES, Axis
from shindan.core.evidence.gap import Gap
from shindan.core.evidence.pairs import (
    Facts,
    Meeting,
    Overlay,
    Pair,
    Side,
    other_quantity,
    other_tokens,
)
from shindan.core.evidence.sweeps import Sweep
from shindan.logs.meeting import ends, meetings
from shindan.logs.parts import RATES, SAME, split
from shindan.logs.rerun import rerun
from shindan.logs.sides import Of, Run
from shindan.logs.table import Numbers

DRAWN = 2000
SETTINGS = (
    "batch", "length", "rate", "schedule", "optimizer", "model", "parameters", "layers",
    "vocabulary", "tokenizer", "positions", "reduction", "padding", "smoothing", "data",
)  # fmt: skip
SHOWN = {"batch": "batch_size", "length": "sequence_length", "rate": "learning_rate",
    "vocabulary": "vocab_size", "smoothing": "label_smoothing"}  # fmt: skip
"""Names of facts as a person gives them, where they differ."""


def pair(a: Run, b: Run, sweeps: Sequence[Sweep] = ()) -> Pair:
    """Two runs compared; per byte where tokens differ and the bytes of a token are known.

    ``sweeps`` are those among all runs of the comparison.
    """
    of = _set(a, b)
    per_byte = bits_per_byte(a.side.facts, b.side.facts)
    comparable = other_tokens(a.side.facts, b.side.facts) is None or per_byte is not None
    comparable = comparable and not other_quantity(a.side.facts, b.side.facts)
    end = ends(a, b, of) if comparable else None
    met = tuple(meetings(a, b, of)) if comparable else ()
    if per_byte is not None:
        end = _scaled(end, per_byte) if end else None
        met = tuple(_scaled(m, per_byte) for m in met)
    one, other = _alike(a.side, b.side, of)
    made = Pair(
        one, other, of, end, met, tuple(_differ(a.side.facts, b.side.facts)), per_byte is not None,
        rerun(a.side.facts, b.side.facts),
    )  # fmt: skip
    gap = split(a, b, made, per_byte or (1.0, 1.0), sweeps)
    return replace(made, gap=gap, rerun="" if _fair(gap) else made.rerun)


def _fair(gap: Gap | None) -> bool:
    """Does one thing differ already, at one budget?"""
    budget = gap.part("budget") if gap else None
    return gap is not None and gap.mixed is None and budget is not None and budget.how == "equal"


def _alike(a: Side, b: Side, of: Of) -> tuple[Side, Side]:
    """Both quoted by the set that both have, unless one is quoted by its whole run."""
    if any(side.quoted is None or side.quoted.over == "run" for side in (a, b)):
        return a, b
    same = [(q, r) for q in a.readings for r in b.readings if (q.over, q.of) == (r.over, r.of)]
    mine = next(((q, r) for q, r in same if q.of == of), None)
    return (replace(a, quoted=mine[0]), replace(b, quoted=mine[1])) if mine else (a, b)


def _set(a: Run, b: Run) -> Of:
    """Validation losses where both have them: they are on fixed data, in eval mode."""
    both = "validation" in a.curves and "validation" in b.curves
    return "validation" if both else "training"


def bits_per_byte(a: Facts, b: Facts) -> tuple[float, float] | None:
    """What a nat per token of each is in bits per byte; None unless needed and known."""
    if other_tokens(a, b) is None or not a.bytes_per_token or not b.bytes_per_token:
        return None
    return tuple(1 / math.log(2) / n for n in (a.bytes_per_token, b.bytes_per_token))  # type: ignore[return-value]


def _scaled(met: Meeting, by: tuple[float, float]) -> Meeting:
    return replace(met, a=met.a * by[0], b=met.b * by[1], error=met.error * max(by))


def _differ(a: Facts, b: Facts) -> list[str]:
    made = []
    for name in SETTINGS:
        one, other = getattr(a, name), getattr(b, name)
        if one is not None and other is not None and not _same(one, other, name):
            made.append(f"{SHOWN.get(name, name)} {_short(one)} / {_short(other)}")
    return made


def _same(one: float | str, other: float | str, name: str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    within = {"rate": RATES, "parameters": SAME}
    return math.isclose(one, other, rel_tol=within.get(name, 1e-6))


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.10g}"


def overlay(runs: Sequence[Run], of: Of) -> Overlay | None:
    """All curves over the first axis every run is known on (else the one most are known on)."""
    known = {axis: [r for r in runs if len(r.points(of, axis)[0])] for axis in AXES}
    best: Axis = max(AXES, key=lambda axis: len(known[axis]))
    if not known[best]:
        return None
    curves = tuple((r.side.name, of, _thinned(*r.points(of, best))) for r in known[best])
    absent = tuple(r.side.name for r in runs if r not in known[best])
    return Overlay(best, curves, absent)


def _thinned(x: Numbers, y: Numbers) -> tuple[tuple[float, float], ...]:
    every = max(1, math.ceil(len(x) / DRAWN))
    return tuple(zip(x[::every].tolist(), y[::every].tolist(), strict=True))
