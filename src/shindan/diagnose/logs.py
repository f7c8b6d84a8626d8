"""Logs that exist, from their paths to one document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shindan.core.document import Document
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.phases import Course, Window
from shindan.core.evidence.trend import LossTrend
from shindan.diagnose.engine import diagnose, together
from shindan.logs.course import NOTHING, Wanted, course
from shindan.logs.judged import Judged, judged
from shindan.logs.reading import read
from shindan.logs.roles import refuse_unknown


@dataclass(frozen=True)
class ReadLogs:
    """The document of all logs, and each one's evidence in the order of its subjects."""

    document: Document
    evidence: tuple[Mapping[type[Evidence], Evidence], ...]


def examine(paths: Sequence[Path], asked: Mapping[str, str], wanted: Wanted = NOTHING) -> ReadLogs:
    """Read and judge every log; ShindanError for a path or a column that there is not."""
    tables = [table for path in paths for table in read(path)]
    refuse_unknown(tables, asked)
    documents, evidence = [], []
    for table in tables:
        log = judged(table, asked)
        went = course(log, wanted)
        held = {**log.evidence, **went.evidence}
        document = diagnose(held, _missing(log), (), log.subject)
        facts = {**log.subject.facts, **went.facts, "verdict": document.verdict}
        told = replace(log.subject, facts=facts, course=went.sentences)
        documents.append(replace(document, subjects=(told,)))
        evidence.append(held)
    return ReadLogs(together(documents), tuple(evidence))


def _missing(log: Judged) -> tuple[Unavailable, ...]:
    """What holds for the trend holds for the course of the losses, too."""
    why = [m.because for m in log.missing if m.evidence == LossTrend.__name__]
    later = [Unavailable(kind.__name__, why[0]) for kind in (Course, Window) if why]
    return (*log.missing, *later)
