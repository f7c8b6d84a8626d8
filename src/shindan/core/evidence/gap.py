"""What the difference of two runs goes with: shares that add up to it."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.axes import Axis
from shindan.core.reason import Reason

Cause = Literal["budget", "schedule", "rate", "size", "other", "rest"]
"""``rate`` is learning rate and batch, ``other`` settings that are none of these and differ,
``rest`` what remains where nothing that is known differs."""
CAUSES: tuple[Cause, ...] = ("budget", "schedule", "rate", "size", "other", "rest")
How = Literal["measured", "equal", "left", "mixed"]
"""Read from the logs; nothing differs there; all that is left, nothing else known differing; or
not separated."""
ERRORS = 2.0
"""Standard errors on each side of a value that make its interval, about 95 %."""


@dataclass(frozen=True)
class Part:
    """A share of the gap a - b, with its standard error; several causes are not separated."""

    of: tuple[Cause, ...]
    value: float
    error: float = 0.0
    how: How = "measured"

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.value - ERRORS * self.error

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.value + ERRORS * self.error


@dataclass(frozen=True)
class Expected:
    """What sizes alone make of a gap, by a law: of a - b in nats per token."""

    law: Literal["kaplan", "hoffmann"]
    value: float


Fits = Literal["as", "less", "more", "against", "undecided"]
"""A share of sizes beside what laws expect: of their order, beyond it, of the other sign, or
within its error of both nothing and what is expected."""


@dataclass(frozen=True)
class Gap:
    """The shares of one pair's difference at its ends, in the order of their reading.

    First both are read at an equal budget (``at`` of ``axis``; None: they have none), then at the
    same part of their schedules, and so on; what is left goes with what is left to differ.
    ``notes`` say of each cause how it was read or why it could not be separated; ``assumed`` what
    is not known of the two runs and taken to be equal.
    """

    total: float
    error: float
    parts: tuple[Part, ...]
    axis: Axis | None = None
    at: float = 0.0
    notes: tuple[tuple[Cause, Reason], ...] = ()
    expected: tuple[Expected, ...] = ()
    fits: Fits | None = None
    assumed: tuple[str, ...] = ()

    def part(self, cause: Cause) -> Part | None:
        """The share that the cause has alone."""
        return next((p for p in self.parts if p.of == (cause,)), None)

    @property
    def mixed(self) -> Part | None:
        """The share of what could not be separated."""
        return next((p for p in self.parts if p.how == "mixed"), None)
