"""Two runs side by side: what each one's loss is, what was spent on it, where they meet."""

from dataclasses import dataclass, field
from typing import Literal

from shindan.core.evidence.axes import Axis, Clock
from shindan.core.evidence.base import Evidence
from shindan.core.evidence.gap import Gap
from shindan.core.evidence.sweeps import Ranking, Sweep

Over = Literal["step", "epoch", "run", "running"]
"""What a logged loss is the mean of: a step (or the few since the last row), an epoch, the whole
run, or everything so far."""
DECAY = 0.25
"""Shares of peak learning rates that differ by more than this are of other parts of a decay."""


@dataclass(frozen=True)
class Quoted:
    """A loss as a person would quote it: its value in nats, of which set, a mean of what."""

    value: float
    over: Over
    of: Literal["training", "validation"]


@dataclass(frozen=True)
class Facts:
    """What is known of a run beside its curve; None where nobody said.

    ``batch`` sequences and ``tokens_per_update`` tokens make one update, all devices and
    accumulation counted; ``rate`` is the peak learning rate as used. ``positions`` are those that
    count in the loss (``all``, ``masked``, ``completion``), ``padding`` is ``ignored`` or
    ``counted``, ``reduction`` ``mean`` or ``sum``. ``bytes_per_token`` of the text the loss is on.
    ``objective`` is ``language``, or what makes the loss no cross entropy (``LogColumns``).
    ``clock`` is where the seconds come from.
    ``spent`` maps an axis to what the whole run took: updates, tokens, epochs, seconds, and FLOPs
    (estimated as 6 N per token, where nobody counted).
    """

    batch: float | None = None
    length: float | None = None
    rate: float | None = None
    schedule: str | None = None
    optimizer: str | None = None
    model: str | None = None
    parameters: float | None = None
    layers: float | None = None
    vocabulary: float | None = None
    tokenizer: str | None = None
    bytes_per_token: float | None = None
    positions: str | None = None
    reduction: str | None = None
    padding: str | None = None
    smoothing: float | None = None
    data: str | None = None
    objective: str | None = None
    seed: float | None = None
    command: str | None = None
    width: float | None = None
    tokens_per_update: float | None = None
    clock: Clock | None = None
    spent: tuple[tuple[Axis, float], ...] = ()

    def of(self, axis: Axis) -> float | None:
        """What the whole run took on that axis."""
        return dict(self.spent).get(axis)


COUNTED = ("objective", "positions", "reduction", "padding", "smoothing")
"""Facts that make a loss another quantity."""


def other_quantity(a: Facts, b: Facts) -> tuple[str, ...]:
    """The facts known of both by which their losses are different quantities."""
    both = ((name, getattr(a, name), getattr(b, name)) for name in COUNTED)
    return tuple(n for n, one, other in both if None not in (one, other) and one != other)


PADDED = 128
"""Rows by which a table is made rounder for speed: 50,257 to 50,304."""


def other_tokens(a: Facts, b: Facts) -> tuple[str | int, str | int] | None:
    """What tells that the losses of two runs are per different tokens; None where nothing does.

    A vocabulary that is another one rounded up is the same.
    """
    if a.tokenizer is not None and b.tokenizer is not None:
        return (a.tokenizer, b.tokenizer) if a.tokenizer != b.tokenizer else None
    if a.vocabulary is None or b.vocabulary is None:
        return None
    low, high = sorted((a.vocabulary, b.vocabulary))
    rounded = high % 8 == 0 and high - low < PADDED
    return None if low == high or rounded else (int(a.vocabulary), int(b.vocabulary))


@dataclass(frozen=True)
class Side:
    """One run: its name, the loss it is quoted by, every other way its log can be read."""

    name: str
    facts: Facts
    quoted: Quoted | None = None
    readings: tuple[Quoted, ...] = ()

    def read(self, over: Over, of: str) -> float | None:
        """The loss read that way, where the log allows it."""
        return next((q.value for q in self.readings if (q.over, q.of) == (over, of)), None)


@dataclass(frozen=True)
class Meeting:
    """Both runs at one budget: ``a`` and ``b`` in nats, where each really was measured.

    ``error`` is the standard error of a - b that the scatter of the points allows for; the
    scatter between seeds comes on top of it. ``rate_a`` and ``rate_b`` are what was left of each
    one's peak learning rate there (None: not logged): a run that is stopped in the middle of its
    schedule is worse than one whose schedule ended there.
    """

    axis: Axis
    at: float
    a: float
    b: float
    at_a: float
    at_b: float
    error: float = 0.0
    rate_a: float | None = None
    rate_b: float | None = None

    @property
    def gap(self) -> float:
        """Above zero where the first run is worse."""
        return self.a - self.b

    @property
    def schedules_differ(self) -> bool:
        """Was one run far on in its decay where the other was not?"""
        known = self.rate_a is not None and self.rate_b is not None
        return known and abs((self.rate_a or 0.0) - (self.rate_b or 0.0)) > DECAY

    @property
    def clear(self) -> bool:
        """Is the gap beyond two errors?"""
        return abs(self.gap) > 2 * self.error


@dataclass(frozen=True)
class Pair(Evidence):
    """Two runs compared: at their own ends, and where both had spent the same."""

    a: Side
    b: Side
    of: Literal["training", "validation"] = "training"
    ends: Meeting | None = None
    meetings: tuple[Meeting, ...] = ()
    differ: tuple[str, ...] = ()
    """Settings known on both sides and different there, as ``batch 512 / 32``."""
    per_byte: bool = False
    """Levels are in bits per byte, since their tokens differ; else in nats per token."""
    rerun: str = ""
    """The second run's settings changed so that only one thing differs, or a command."""
    gap: Gap | None = None
    """What the difference at the ends goes with."""

    def meeting(self, axis: Axis) -> Meeting | None:
        """Where both had spent the same of that."""
        return next((m for m in self.meetings if m.axis == axis), None)

    @property
    def alike(self) -> tuple[Quoted, Quoted] | None:
        """Both losses read the same way, the finest that both logs allow."""
        for one in self.a.readings:
            for other in self.b.readings:
                if (one.over, one.of) == (other.over, other.of):
                    return one, other
        return None


@dataclass(frozen=True)
class Overlay(Evidence):
    """The curves of several runs over one axis, thinned: (name, of, points)."""

    axis: Axis
    curves: tuple[tuple[str, str, tuple[tuple[float, float], ...]], ...] = ()
    not_shown: tuple[str, ...] = field(default=())
    """Runs of which nobody knows where they stand on it."""


@dataclass(frozen=True)
class Comparison(Evidence):
    """All runs of one comparison, each of the others against the first, and their curves."""

    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    overlay: Overlay | None = None
    ranking: Ranking | None = None
    """Where all runs meet, from three of them on."""
    sweeps: tuple[Sweep, ...] = ()
