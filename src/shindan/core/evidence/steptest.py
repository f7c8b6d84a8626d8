"""Steps of other lengths along the direction the optimizer has just gone."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class StepPoint:
    """Loss of the update's own batch (nats a label, eval mode) at w0 + a (w1 - w0).

    ``start`` is a = 0 (before the step), ``tenth`` a = 0.1, ``whole`` a = 1 (where the run is),
    ``ten`` and ``hundred`` beyond it. ``lr`` of the first group, ``update`` counted from 1.
    """

    update: int
    lr: float
    start: float
    tenth: float
    whole: float
    ten: float
    hundred: float


@dataclass(frozen=True)
class StepTest(Evidence):
    """One point for each deep look, in order."""

    points: tuple[StepPoint, ...]
