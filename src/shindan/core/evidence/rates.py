"""Who sets the learning rate, how often, and how long the schedule is meant to last."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class SchedulerRow:
    """One outermost scheduler of an optimizer.

    ``steps`` is where its counter stands at the end, ``per_update`` how much it typically moved
    between two updates. ``horizon`` is the length it was given, in its own steps, where that is
    an argument (T_max, total_steps, num_training_steps ...), else None; ``integers`` are the
    whole numbers that a function given to LambdaLR refers to, by name.
    """

    kind: str
    steps: int
    per_update: float
    horizon: int | None
    integers: dict[str, int]


@dataclass(frozen=True)
class RateRow:
    """One optimizer: its schedulers, and whether their word was kept.

    ``compared`` updates were made after a scheduler had spoken; in ``overridden`` of them the LR
    in use was none that any scheduler of this optimizer had set (``said`` and ``used`` from one
    of them).
    """

    optimizer: int
    updates: int
    micro_steps: int
    schedulers: tuple[SchedulerRow, ...]
    compared: int = 0
    overridden: int = 0
    said: float = 0.0
    used: float = 0.0
    step: Where = NOWHERE

    @property
    def per_update(self) -> int:
        """Micro-steps of one update, rounded."""
        return round(self.micro_steps / self.updates) if self.updates else 0


@dataclass(frozen=True)
class Rates(Evidence):
    """One row an optimizer; ``batch`` is the batch size of the training DataLoader, if one ran."""

    rows: tuple[RateRow, ...]
    batch: int | None = None
