"""What the loop trains: a model, its loss, and batches that are a pure function of their number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

IGNORE = -100
"""The label of a position that does not count."""

Batch = dict[str, Tensor]
"""Tensors by name; ``labels`` is IGNORE where nothing is to be learnt."""
Sums = dict[str, Tensor]
"""Sums over the counted labels of a batch, without a division: ``loss`` is what is trained and
has the graph, all others are only told (``nll``, ``right``)."""


@dataclass
class Task:
    """All that is particular to one system."""

    model: nn.Module
    """What is kept in ``model.pt``."""
    objective: nn.Module
    """Called with a batch it returns Sums; it owns the model, and whatever else is trained."""
    rows: int
    """How many there are in one epoch."""
    training_batch: Callable[[int], Batch]
    """The micro-batch of that number, the same whenever it is asked for. Numbers run through all
    updates, micro-steps and ranks, so that more ranks or micro-steps see the same data."""
    validation: Sequence[Batch]
    """Fixed: the same at every evaluation."""
    after: Callable[[int], None] | None = None
    """Called with the number of updates done, after each evaluation."""


def counted(batch: Batch) -> int:
    """Labels that count."""
    return int((batch["labels"] != IGNORE).sum())


def tokens(batch: Batch) -> int:
    """Real tokens, padding left out."""
    return int(batch["mask"].sum()) if "mask" in batch else batch["ids"].numel()
