"""What a log's loss series went through (derived from the log by ``logs/``)."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence
from shindan.core.reason import Reason

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


@dataclass(frozen=True)
class Reach:
    """When the forecast passes ``target``: ``already``, ``yes``, ``no`` or ``open``.

    ``first`` and ``last`` are steps: the lower end of the interval passes it first, the upper end
    last (None: not within ``until``, the furthest step this log allows to forecast).
    """

    target: float
    answer: Literal["already", "yes", "no", "open"]
    until: float
    first: float | None = None
    last: float | None = None


@dataclass(frozen=True)
class Forecast(Evidence):
    """Where the series ``name`` will be at step ``at``; ``now`` and ``level`` are where it is.

    ``low`` to ``high`` should hold the truth ``wanted`` of the time. Its width comes from the
    ``origins`` forecasts that could be made at earlier points of the same log and compared with
    what followed; ``held`` is the share of those that an interval made from the others would
    have held. With ``refusal`` there is no forecast, and the numbers mean nothing.
    """

    name: str
    unit: str
    now: float
    level: float
    at: float
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    wanted: float = 0.9
    origins: int = 0
    held: float = float("nan")
    reach: Reach | None = None
    refusal: Reason | None = None
