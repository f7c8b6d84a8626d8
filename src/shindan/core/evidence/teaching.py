"""Has the teacher anything to teach? Both models against the labels of one batch."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class TeachingPoint:
    """Cross-entropy against the labels of the update's own batch, nats a label, eval mode.

    ``teacher`` and ``student`` saw the same ids; ``update`` counts from 1; ``labels`` judged.
    """

    update: int
    teacher: float
    student: float
    labels: int


@dataclass(frozen=True)
class Teaching(Evidence):
    """One point for each deep look; ``root`` is the teacher's number in ``DistillationLedger``."""

    root: int
    points: tuple[TeachingPoint, ...]
