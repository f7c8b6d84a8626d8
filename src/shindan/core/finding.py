"""What a check says: numbers and a place, never prose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shindan.core.reason import Because

Kind = Literal["cause", "risk", "symptom"]
Severity = Literal["critical", "major", "minor", "info"]
Grounds = Literal["intervention", "ledger", "relation", "threshold"]
"""How directly the evidence convicts, strongest first (DESIGN.md, ranking)."""

Number = int | float
Measure = Number | str | tuple[Number | str, ...]

KINDS: tuple[Kind, ...] = ("cause", "risk", "symptom")
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor", "info")
CONFIDENCE: Mapping[Grounds, float] = {
    "intervention": 0.97,
    "ledger": 0.95,
    "relation": 0.9,
    "threshold": 0.7,
}
"""Default confidence of a finding by its grounds; a check may say another."""


@dataclass(frozen=True)
class Where:
    """A place in the user's program; every part may be unknown."""

    file: str | None = None
    line: int | None = None
    module: str | None = None


NOWHERE = Where()


@dataclass(frozen=True)
class Finding:
    """One observation of one fault.

    ``measured`` are the numbers that convict (the page's message is a template over them);
    ``severity`` and ``confidence`` override the check's own; ``variant`` picks
    ``message_<variant>`` of the page instead of ``message``.
    """

    measured: Mapping[str, Measure]
    where: Where = NOWHERE
    severity: Severity | None = None
    confidence: float | None = None
    variant: str = ""


@dataclass(frozen=True)
class Diagnosed:
    """A finding with its identity, as the report lists it."""

    id: str
    kind: Kind
    severity: Severity
    grounds: Grounds
    confidence: float
    measured: Mapping[str, Measure]
    where: Where = NOWHERE
    variant: str = ""
    explains: tuple[str, ...] = ()
    rank: int = 0
    subject: int = 0


@dataclass(frozen=True)
class NotRun:
    """A check that could not be made, and why."""

    id: str
    because: Because
    subject: int = 0


@dataclass(frozen=True)
class Failure:
    """Something of Shindan's own that broke."""

    what: str
    error: Because
    subject: int = 0


@dataclass(frozen=True)
class Subject:
    """What was examined: one run or one log."""

    kind: Literal["run", "log"]
    name: str
    record: str | None = None
    facts: Mapping[str, Measure] = field(default_factory=dict)
    notes: tuple[Because, ...] = ()
    """What could not be read of it."""
    course: tuple[Because, ...] = ()
    """What its losses went through and may come to, in the order of time."""
