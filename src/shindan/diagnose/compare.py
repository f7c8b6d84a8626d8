"""Runs side by side, from their logs to one document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shindan.core.document import Document, Verdict
from shindan.core.errors import ShindanError
from shindan.core.evidence.base import Evidence
from shindan.core.evidence.gap import Gap
from shindan.core.evidence.pairs import Comparison, Pair, Side
from shindan.core.evidence.sweeps import Sweep
from shindan.core.finding import KINDS, SEVERITIES, Diagnosed, Measure, Subject
from shindan.core.registry import checks as all_checks
from shindan.diagnose.engine import UNDECIDED, diagnose
from shindan.logs.course import Wanted, course, sentence
from shindan.logs.facts import given
from shindan.logs.judged import Judged, judged
from shindan.logs.pairs import overlay, pair
from shindan.logs.reading import read
from shindan.logs.roles import refuse_unknown
from shindan.logs.runs import apart
from shindan.logs.sides import Run, run
from shindan.logs.stated import is_stated, stated
from shindan.logs.sweeps import common_set, one_text, ranking, sweeps
from shindan.logs.table import LogTable

LETTERS = 26
"""Runs that can be named by a letter."""


@dataclass(frozen=True)
class Compared:
    """The document of a comparison, and what there is to show of it."""

    document: Document
    comparison: Comparison


def compare(
    paths: Sequence[Path], said: Sequence[str] = (), asked: Mapping[str, str] | None = None
) -> Compared:
    """Read every log and hold each run against the first; ``asked`` are columns by role.

    A path may be a number that was stated instead (``logs/stated.py``).

    Raises ShindanError for fewer than two runs, for a path that is no log, a log without a loss,
    a column that there is not, and facts that cannot be taken (see ``logs/facts.py``).
    """
    logs = _read(paths, asked or {})
    names = _names(logs)
    facts = given(said, names)
    with np.errstate(all="ignore"):  # numbers of 1e300 in a broken log are no error of ours
        runs = [
            stated(log, known) if isinstance(log, Path) else run(log, name, known)
            for log, name, known in zip(logs, names, facts, strict=True)
        ]
        for each in runs:
            if not each.curves:
                raise ShindanError("no-loss-to-compare", name=each.side.name)
        names = [each.side.name for each in runs]
        comparison = _compared(runs)
    pairs = comparison.pairs
    found = [_judged({Pair: p}, i) for i, p in enumerate(pairs, 1)]
    found += [_judged({Sweep: s}, s.best.run) for s in comparison.sweeps]
    ends = [level for p in pairs if p.ends and not p.per_byte for level in (p.ends.a, p.ends.b)]
    best = min(ends, default=None)
    subjects = tuple(
        replace(_subject(log, side, best), facts=_facts(log, comparison, i))
        for i, (log, side) in enumerate(zip(logs, comparison.sides, strict=True))
    )
    findings = _together(tuple(f for document in found for f in document.findings), names)
    failed = tuple(f for document in found for f in document.failed)
    verdict = _verdict(findings)
    return Compared(Document(verdict, subjects, findings, (), failed), comparison)


def _read(paths: Sequence[Path], asked: Mapping[str, str]) -> list[Judged | Path]:
    """The runs in the order of the paths; a number without a log stays what was said of it."""
    read_logs: list[LogTable | Path] = []
    for path in paths:
        read_logs += [path] if is_stated(path) else read(path)
    refuse_unknown([table for table in read_logs if isinstance(table, LogTable)], asked)
    sides: list[LogTable | Path] = []
    for one in read_logs:
        sides += apart(one, asked) if isinstance(one, LogTable) else [one]
    if not 2 <= len(sides) <= LETTERS:
        raise ShindanError("not-two-runs", n=len(sides), most=LETTERS)
    return [judged(one, asked) if isinstance(one, LogTable) else one for one in sides]


def _compared(runs: Sequence[Run]) -> Comparison:
    """Each against the first; all of them where they meet; those that differ in one thing."""
    of = common_set(runs)
    swept = sweeps(runs, of) if one_text(runs) else ()
    pairs = tuple(pair(runs[0], other, swept) for other in runs[1:])
    return Comparison(
        (pairs[0].a, *(p.b for p in pairs)), pairs, overlay(runs, pairs[0].of),
        ranking(runs, of) if one_text(runs) else None, swept,
    )  # fmt: skip


def _names(logs: Sequence[Judged | Path]) -> list[str]:
    """Each run's name, with its folder (or its number) where two have the same."""
    tables = [log.table if isinstance(log, Judged) else None for log in logs]
    names = [table.name if table else f"{log}" for table, log in zip(tables, logs, strict=True)]
    if len(set(names)) < len(names):
        names = [
            f"{table.path.parent.name}/{table.name}" if table else name
            for table, name in zip(tables, names, strict=True)
        ]
    if len(set(names)) < len(names):
        names = [f"{name} #{i}" for i, name in enumerate(names, 1)]
    return names


def _judged(evidence: Mapping[type[Evidence], Evidence], index: int) -> Document:
    checks = tuple(c for c in all_checks() if next(c.able(evidence), None) is not None)
    document = diagnose(evidence, (), (), Subject("log", ""), checks)
    return replace(document, findings=tuple(replace(f, subject=index) for f in document.findings))


def _together(findings: Sequence[Diagnosed], names: Sequence[str]) -> tuple[Diagnosed, ...]:
    """Of several pairs with one fault the worst, with the names of the others."""
    groups: dict[tuple[str, str], list[Diagnosed]] = {}
    for found in findings:
        groups.setdefault((found.id, found.variant), []).append(found)
    made = []
    for same in groups.values():
        worst = min(same, key=lambda f: SEVERITIES.index(f.severity))
        others = tuple(names[f.subject] for f in same if f is not worst)
        more: dict[str, Measure] = {"also": others} if others else {}
        made.append(replace(worst, measured={**worst.measured, **more}))
    made.sort(key=lambda f: (KINDS.index(f.kind), SEVERITIES.index(f.severity), f.rank))
    return tuple(replace(found, rank=i) for i, found in enumerate(made, 1))


def _facts(log: Judged | Path, comparison: Comparison, index: int) -> dict[str, Measure]:
    """What the log is, and of the comparison what is this run's."""
    facts: dict[str, Measure] = dict(log.subject.facts) if isinstance(log, Judged) else {}
    if comparison.ranking is not None:
        place = next((r.place for r in comparison.ranking.runs if r.run == index), None)
        facts |= {} if place is None else {"place": place}
    for sweep in comparison.sweeps:
        if sweep.best.run == index:
            facts |= {"sweep": sweep.over, "sweep_best": sweep.best.value}
            facts |= {"sweep_edge": sweep.edge} if sweep.edge else {}
    two = comparison.pairs[index - 1] if index else None
    if two is None or two.gap is None:
        return facts
    return {**facts, **_numbers(two.gap), **({"rerun": two.rerun} if two.rerun else {})}


def _numbers(gap: Gap) -> dict[str, Measure]:
    """The difference to the first run and its shares, with the ends of their intervals."""
    made: dict[str, Measure] = {"gap": gap.total, "gap_error": gap.error}
    if gap.axis is not None:
        made |= {"gap_axis": gap.axis, "gap_at": gap.at}
    for part in gap.parts:
        name = "mixed" if part.how == "mixed" else part.of[0]
        made |= {f"gap_{name}": part.value, f"gap_{name}_how": part.how}
        made |= {f"gap_{name}_low": part.low, f"gap_{name}_high": part.high}
        made |= {"gap_mixed_of": part.of} if part.how == "mixed" else {}
    made |= {"gap_notes": tuple(f"{cause}: {note.key}" for cause, note in gap.notes)}
    made |= {f"gap_expected_{law.law}": law.value for law in gap.expected}
    return made | ({"gap_size_fits": gap.fits} if gap.fits else {})


def _subject(log: Judged | Path, side: Side, best: float | None) -> Subject:
    """The run as it is told: when it will have what the best one ended with, if it is behind."""
    if isinstance(log, Path):
        return Subject("log", side.name)
    name = side.name
    if best is None or side.quoted is None or side.quoted.value <= best:
        return replace(log.subject, name=name)
    went = course(log, Wanted(target=best))
    role = "validation" if side.quoted.of == "validation" else "loss"
    told = tuple(
        sentence(made)
        for made in went.reaches
        if made.name.removeprefix("ln ") == log.roles.columns.get(role)
    )
    return replace(log.subject, name=name, course=told)


def _verdict(findings: Sequence[Diagnosed]) -> Verdict:
    if any(f.severity in SEVERITIES[:2] for f in findings):
        return "sick"
    return "inconclusive" if any(f.id == UNDECIDED for f in findings) else "healthy"
