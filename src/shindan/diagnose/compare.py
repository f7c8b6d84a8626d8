"""Runs side by side, from their logs to one document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shindan.core.document import Document, Verdict
from shindan.core.errors import ShindanError
from shindan.core.evidence.pairs import Comparison, Pair, Side
from shindan.core.finding import SEVERITIES, Diagnosed, Subject
from shindan.core.registry import checks as all_checks
from shindan.diagnose.engine import UNDECIDED, diagnose
from shindan.logs.course import Wanted, course, sentence
from shindan.logs.facts import given
from shindan.logs.judged import Judged, judged
from shindan.logs.pairs import overlay, pair
from shindan.logs.reading import read
from shindan.logs.roles import refuse_unknown
from shindan.logs.runs import apart
from shindan.logs.sides import run
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

    Raises ShindanError for fewer than two runs, for a path that is no log, a log without a loss,
    a column that there is not, and facts that cannot be taken (see ``logs/facts.py``).
    """
    read_tables = [table for path in paths for table in read(path)]
    refuse_unknown(read_tables, asked or {})
    tables = [run for table in read_tables for run in apart(table, asked)]
    if not 2 <= len(tables) <= LETTERS:
        raise ShindanError("not-two-runs", n=len(tables), most=LETTERS)
    names = _names(tables)
    facts = given(said, names)
    logs = [judged(table, asked) for table in tables]
    with np.errstate(all="ignore"):  # numbers of 1e300 in a broken log are no error of ours
        runs = [run(log, name, known) for log, name, known in zip(logs, names, facts, strict=True)]
        for each in runs:
            if not each.curves:
                raise ShindanError("no-loss-to-compare", name=each.side.name)
        pairs = tuple(pair(runs[0], other) for other in runs[1:])
    drawn = overlay(runs, pairs[0].of)
    comparison = Comparison((pairs[0].a, *(p.b for p in pairs)), pairs, drawn)
    found = [_judged(p, i) for i, p in enumerate(pairs, 1)]
    ends = [level for p in pairs if p.ends and not p.per_byte for level in (p.ends.a, p.ends.b)]
    best = min(ends, default=None)
    subjects = tuple(
        _subject(log, name, side, best)
        for log, name, side in zip(logs, names, comparison.sides, strict=True)
    )
    findings = tuple(f for document in found for f in document.findings)
    failed = tuple(f for document in found for f in document.failed)
    verdict = _verdict(findings)
    return Compared(Document(verdict, subjects, findings, (), failed), comparison)


def _names(tables: Sequence[LogTable]) -> list[str]:
    """Each run's name, with its folder (or its number) where two have the same."""
    names = [table.name for table in tables]
    if len(set(names)) < len(names):
        names = [f"{table.path.parent.name}/{table.name}" for table in tables]
    if len(set(names)) < len(names):
        names = [f"{name} #{i}" for i, name in enumerate(names, 1)]
    return names


def _judged(two: Pair, index: int) -> Document:
    checks = tuple(c for c in all_checks() if next(c.able({Pair}), None) is not None)
    document = diagnose({Pair: two}, (), (), Subject("log", two.b.name), checks)
    return replace(document, findings=tuple(replace(f, subject=index) for f in document.findings))


def _subject(log: Judged, name: str, side: Side, best: float | None) -> Subject:
    """The run as it is told: when it will have what the best one ended with, if it is behind."""
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
