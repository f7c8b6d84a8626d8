"""The root of all evidence: frozen records of plain numbers, nothing of torch."""

from dataclasses import dataclass

from shindan.core.reason import Because


@dataclass(frozen=True)
class Evidence:
    """Base of every record a probe yields; fields are numbers, strings, tuples, nested records.

    Records must survive a round trip through JSON (they are kept in the run record).
    """


@dataclass(frozen=True)
class Unavailable:
    """Evidence of this type could not be gathered in this run, because ..."""

    evidence: str
    because: Because
