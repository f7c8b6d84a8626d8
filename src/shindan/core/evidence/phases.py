"""What a log's loss series went through (derived from the log by ``logs/``)."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.trend import Slope
from shindan.core.reason import Reason

PhaseKind = Literal["falling", "plateau", "rising", "unclear"]
Answer = Literal["already", "yes", "no", "open"]


@dataclass(frozen=True)
class Phase:
    """A stretch of a series in which it does one thing.

    ``unclear``: it moves, by no more than slow noise does. ``first`` and ``last`` are its steps
    (or epochs), ``start`` and ``end`` means of what was measured there, ``level`` the mean of all;
    ``doubling`` is the change per doubling of the steps, ``low`` and ``high`` its 95 %
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
    level: float


@dataclass(frozen=True)
class Phases:
    """The phases of the series ``name`` in order of time; ``unit`` is what its steps count."""

    name: str
    unit: str
    points: int
    phases: tuple[Phase, ...]

    @property
    def directed(self) -> bool:
        """Whether any of it falls or rises, beyond slow noise."""
        return any(p.kind in ("falling", "rising") for p in self.phases)

    @property
    def ways_out(self) -> tuple[tuple[Phase, Phase], ...]:
        """Each plateau or slow fall, with the fall, twice as steep or more, that ended it.

        A power law only ever slows down: there the model learnt something new, or something else
        changed. Of a stretch without a clear direction the steepest fall counts that it may hide.
        """
        pairs = zip(self.phases, self.phases[1:], strict=False)
        return tuple(
            (a, b)
            for a, b in pairs
            if b.kind == "falling"
            and a.kind != "rising"
            and b.doubling < 2 * min(_steepest(a), 0.0)
        )


def _steepest(phase: Phase) -> float:
    return phase.low if phase.kind == "unclear" else phase.doubling


@dataclass(frozen=True)
class Reach:
    """When the forecast passes ``target``: ``already``, ``yes``, ``no`` or ``open``.

    ``first`` and ``last`` are steps: the lower end of the interval passes it first, the upper end
    last (None: not within ``until``, the furthest step this log allows to forecast). With
    ``refusal`` there is no answer.
    """

    name: str
    target: float
    answer: Answer
    until: float
    first: float | None = None
    last: float | None = None
    refusal: Reason | None = None


@dataclass(frozen=True)
class Forecast:
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
    refusal: Reason | None = None


@dataclass(frozen=True)
class Window(Evidence):
    """Whether the series ``name`` as a whole can be said to fall.

    ``slope`` is over all its ``span`` steps, ``level`` its mean. ``visible`` is the fall per step
    that ought to show; ``needed`` so many further updates, as noisy as these, would show it. The
    window decides when its interval excludes zero, or excludes a fall of ``visible``.
    """

    name: str
    unit: str
    points: int
    span: float
    level: float
    slope: Slope
    visible: float
    needed: float

    @property
    def decides(self) -> bool:
        """Falling, rising, or not falling by anything worth the name."""
        change = self.slope
        return not change.low <= 0 <= change.high or change.low > -self.visible * self.span


@dataclass(frozen=True)
class AtLine:
    """A stretch in which the series ``name`` stands at the loss of a model that knows little.

    ``line`` is ``uniform`` (ln of a vocabulary) or ``unigram``, ``at`` its nats, ``level`` those
    of the stretch from step ``first`` to ``last``; ``vocabularies`` are the sizes that fit.
    ``given`` is false where a well-known size was tried because none was named; ``ends`` true
    where the log ends there, ``begins`` where it begins there.
    """

    name: str
    unit: str
    line: Literal["uniform", "unigram"]
    at: float
    level: float
    first: float
    last: float
    points: int
    vocabularies: tuple[int, ...] = ()
    given: bool = True
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Course(Evidence):
    """What the losses of a log went through: training, then validation, where there are such.

    ``forecasts`` and ``reaches`` answer what was asked; of what cannot be answered the reason.
    """

    series: tuple[Phases, ...]
    stands: tuple[AtLine, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    reaches: tuple[Reach, ...] = ()

    def directs(self, name: str) -> bool:
        """Whether that series falls or rises in any of its phases."""
        return not self.kinds(name).isdisjoint(("falling", "rising"))

    def kinds(self, name: str) -> set[PhaseKind]:
        """What that series does in its phases; empty where it is not told of."""
        return {p.kind for s in self.series if s.name == name for p in s.phases}

    def falls(self, but: str) -> bool:
        """Whether a series other than that one ends in a fall."""
        return any(s.phases[-1].kind == "falling" for s in self.series if s.name != but)
