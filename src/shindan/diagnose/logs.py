"""Logs that exist, from their paths to one document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shindan.core.document import Document
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.phases import Course, Window
from shindan.core.evidence.trend import LossTrend
from shindan.core.finding import SEVERITIES, Measure
from shindan.diagnose.engine import diagnose, together
from shindan.logs.beside import beside
from shindan.logs.course import NOTHING, Wanted, course
from shindan.logs.judged import Judged, judged
from shindan.logs.reading import read
from shindan.logs.roles import refuse_unknown
from shindan.logs.runs import Run, long_enough, runs

Held = Mapping[type[Evidence], Evidence]


@dataclass(frozen=True)
class ReadLogs:
    """The document of all logs, and each one's evidence in the order of its subjects."""

    document: Document
    evidence: tuple[Mapping[type[Evidence], Evidence], ...]


def examine(paths: Sequence[Path], asked: Mapping[str, str], wanted: Wanted = NOTHING) -> ReadLogs:
    """Read and judge every run of every log; ShindanError for a path or a column that there is not.

    A run of a few losses (see ``logs/runs.py``) beside others is a subject only where something
    grave is found in it.
    """
    tables = [table for path in paths for table in read(path)]
    refuse_unknown(tables, asked)
    told = [one for table in tables for one in _runs(runs(table, asked), asked, wanted)]
    return ReadLogs(together([document for document, _ in told]), tuple(held for _, held in told))


def _runs(
    found: Sequence[Run], asked: Mapping[str, str], wanted: Wanted
) -> Iterator[tuple[Document, Held]]:
    """The document of each run of one log that is worth one; each says which run it is of how
    many, and which ones are left out as too short.
    """
    made = [(run, *_judged(run, asked, wanted)) for run in found]
    enough = long_enough(found)
    told = [one for one in made if one[0] in enough or _grave(one[1])]
    short = [run for run in found if all(run is not one[0] for one in told)]
    for run, document, held in told:
        (subject,) = document.subjects
        facts = dict(subject.facts)
        if len(found) > 1:
            facts |= _which(run, len(found), short)
        name = run.name if len(told) > 1 else subject.name
        notes = subject.notes if run is told[0][0] else ()  # of the file, not of the run
        subject = replace(subject, name=name, facts=facts, notes=notes)
        yield replace(document, subjects=(subject,)), held


def _which(run: Run, of: int, short: Sequence[Run]) -> Mapping[str, Measure]:
    facts: dict[str, Measure] = {"run": run.number, "runs": of}
    if run.line is not None:
        facts["from_line"] = run.line
    if short:
        facts["short_runs"] = tuple(other.number for other in short)
    return facts


def _grave(document: Document) -> bool:
    return any(f.severity in SEVERITIES[:2] for f in document.findings)


def _judged(run: Run, asked: Mapping[str, str], wanted: Wanted) -> tuple[Document, Held]:
    log = judged(run.table, asked, run.roles)
    went = course(log, wanted)
    more, lacking = beside(log)
    held = {**log.evidence, **went.evidence, **more}
    document = diagnose(held, (*_missing(log), *lacking), (), log.subject)
    facts = {**log.subject.facts, **went.facts, "verdict": document.verdict}
    told = replace(log.subject, facts=facts, course=went.sentences)
    return replace(document, subjects=(told,)), held


def _missing(log: Judged) -> tuple[Unavailable, ...]:
    """What holds for the trend holds for the course of the losses, too."""
    why = [m.because for m in log.missing if m.evidence == LossTrend.__name__]
    later = [Unavailable(kind.__name__, why[0]) for kind in (Course, Window) if why]
    return (*log.missing, *later)
