"""More than two runs: their order at one budget, and those that differ in one thing."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.base import Evidence

Swept = Literal["rate", "batch", "parameters", "layers"]
Edge = Literal["low", "high"]


@dataclass(frozen=True)
class Ranked:
    """A run at the common budget: which one, its level there with its error, its place.

    ``left`` is what is left of its peak learning rate there (None: not known). Runs whose levels
    differ by less than two errors of the difference from the best of a place share it.
    """

    run: int
    level: float
    error: float
    place: int
    left: float | None = None


@dataclass(frozen=True)
class Ranking:
    """All runs that reach ``at`` of ``axis``, the best first; ``varied`` are facts that differ.

    ``absent`` are runs of which no level at that budget is known.
    """

    axis: Axis
    at: float
    runs: tuple[Ranked, ...]
    varied: tuple[str, ...] = ()
    absent: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tried:
    """One value of a sweep, and what came of it: the mean of ``seeds`` runs, ``run`` the first."""

    run: int
    name: str
    value: float
    level: float
    error: float
    seeds: int = 1


@dataclass(frozen=True)
class Sweep(Evidence):
    """Three or more runs that differ in one thing that is known, by its value, ascending."""

    over: Swept
    axis: Axis
    at: float
    tried: tuple[Tried, ...]
    optimum: float | None = None
    """Where a parabola over ln of the value has its lowest point, within what was tried."""

    @property
    def best(self) -> Tried:
        """The lowest level."""
        return min(self.tried, key=lambda t: t.level)

    @property
    def edge(self) -> Edge | None:
        """At which end of what was tried the best stands, if at one."""
        if self.best is self.tried[0]:
            return "low"
        return "high" if self.best is self.tried[-1] else None

    @property
    def clear(self) -> bool:
        """Is the best beyond two errors better than its neighbours?"""
        at = self.tried.index(self.best)
        beside = [self.tried[i] for i in (at - 1, at + 1) if 0 <= i < len(self.tried)]
        error = self.best.error
        return all(t.level - self.best.level > 2 * (t.error**2 + error**2) ** 0.5 for t in beside)
