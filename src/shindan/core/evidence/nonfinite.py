"""The first number that was not finite, and the operations that led to it."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Severity, Where

Phase = Literal["forward", "backward"]
OFTEN = 0.1
"""Losing this share of the batches is no accident of a rare batch any more."""


@dataclass(frozen=True)
class Operand:
    """One tensor of an operation: the range of its finite numbers, and counts.

    ``integral``: all finite numbers are whole (a count); ``graph``: it depends on parameters.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    size: int
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    negative_inf: int = 0
    integral: bool = False
    graph: bool = True


@dataclass(frozen=True)
class Operation:
    """One operation with a non-finite result.

    ``name`` is the operation of the forward (``sqrt`` also for the gradient of ``sqrt``: then
    ``phase`` is backward). ``dead_rows`` of ``rows`` of a softmax's input hold nothing but -inf.
    """

    name: str
    phase: Phase
    operands: tuple[Operand, ...]
    result: Operand | None
    file: str | None = None
    line: int | None = None
    module: str | None = None
    dead_rows: int = 0
    rows: int = 0

    @property
    def where(self) -> Where:
        """The place in the user's program."""
        return Where(self.file, self.line, self.module)

    @property
    def zeros(self) -> int:
        """Zeros among the operands."""
        return sum(o.zeros for o in self.operands)

    @property
    def born(self) -> bool:
        """Finite operands, a result that is not."""
        return not any(o.nan or o.inf or o.negative_inf for o in self.operands)


@dataclass(frozen=True)
class Weight:
    """Root mean square of one parameter (or of its gradient)."""

    name: str
    rms: float


@dataclass(frozen=True)
class Event:
    """A loss, gradient or weight that was not finite.

    ``update`` updates had been made, ``micro`` backward calls. ``chain`` leads from where it
    began to where the number became NaN (empty: not traced, ``because`` is a
    key of why, or "").
    ``harm``: ``weights`` when an update was made with it or parameters became non-finite,
    ``none`` when the next update was made without it and found them finite, ``unknown`` when
    none followed. ``batches`` with a non-finite loss out of ``of`` seen, ``lost`` norms at clipping
    that were not finite: each an update that was not made, or was spoilt. ``largest`` parameters
    at that moment, largest first; ``broken`` names parameters that held non-finite numbers
    already before this forward.
    """

    update: int
    micro: int
    seen_in: Literal["loss", "gradient"]
    chain: tuple[Operation, ...] = ()
    because: str = ""
    harm: Literal["weights", "none", "unknown"] = "unknown"
    batches: int = 0
    of: int = 0
    lost: int = 0
    largest: tuple[Weight, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """What it cost the run."""
        if self.harm != "none":
            return "critical"
        often = max(self.batches, self.lost) > max(OFTEN * self.of, 1)
        return "major" if often else "minor"


@dataclass(frozen=True)
class FirstNonFinite(Evidence):
    """The first harmful event, else the first; ``event`` None when everything was finite."""

    event: Event | None = None

    def operations(self, *names: str, phase: Phase | None = None) -> tuple[Operation, ...]:
        """The operations of the chain with one of these names."""
        chain = self.event.chain if self.event else ()
        return tuple(o for o in chain if o.name in names and phase in (None, o.phase))
