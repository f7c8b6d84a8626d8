"""Evidence made by hand, and what a check must say to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class Example:
    """Evidence, and what the check finds in it (``finds`` empty: it must stay silent).

    ``finds`` holds, per expected finding in order, the measured numbers that must be equal
    (a subset of the finding's own is enough).
    """

    evidence: tuple[Evidence, ...]
    finds: tuple[Mapping[str, Any], ...] = ()
