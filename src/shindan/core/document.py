"""The result of a diagnosis: what the JSON document ``shindan/1`` holds, before any wording."""

from dataclasses import dataclass, field
from typing import Literal

from shindan.core.finding import Diagnosed, Failure, NotRun, Subject

SCHEMA = "shindan/1"
Verdict = Literal["sick", "healthy", "inconclusive"]


@dataclass(frozen=True)
class Document:
    """Verdict, findings in report order (causes by rank, then risks, then symptoms), the rest."""

    verdict: Verdict
    subjects: tuple[Subject, ...]
    findings: tuple[Diagnosed, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    failed: tuple[Failure, ...] = field(default=())
