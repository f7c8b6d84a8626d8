"""Gradient checkpointing as it was used."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class Recomputed(Evidence):
    """Training calls of reentrant checkpointing: ``cut`` of them had no input with a gradient.

    ``where``: the first cut one.
    """

    calls: int
    cut: int
    where: Where = NOWHERE
