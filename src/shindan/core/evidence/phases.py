"""What a log's loss series went through (derived from the log by ``logs/``)."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence

PhaseKind = Literal["falling", "plateau", "rising"]


@dataclass(frozen=True)
class Phase:
    """A stretch of a series in which it does one thing.

    ``first`` and ``last`` are its steps (or epochs), ``start`` and ``end`` the fitted levels
    there; ``doubling`` is the change per doubling of the steps, ``low`` and ``high`` its 95 %
    interval with autocorrelation allowed for (HAC).
    """

    kind: PhaseKind
    first: float
    last: float
    points: int
    start: float
    end: float
    doubling: float
    low: float
    high: float


@dataclass(frozen=True)
class Phases(Evidence):
    """The phases of the series ``name`` in order of time; ``unit`` is what its steps count."""

    name: str
    unit: str
    points: int
    phases: tuple[Phase, ...]

    @property
    def ways_out(self) -> tuple[tuple[Phase, Phase], ...]:
        """Each plateau that was left downwards, with the fall that follows it."""
        pairs = zip(self.phases, self.phases[1:], strict=False)
        return tuple((a, b) for a, b in pairs if (a.kind, b.kind) == ("plateau", "falling"))
