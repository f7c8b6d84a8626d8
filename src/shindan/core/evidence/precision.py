"""What rounding leaves of an update."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class LostSample:
    """Elements sampled around one step of an optimizer that owns low-precision parameters.

    ``pushed`` of them had a nonzero gradient, ``unmoved`` of those were bit for bit the same
    after the step. ``lr`` of the first group, ``update`` from 0.
    """

    update: int
    lr: float
    pushed: int
    unmoved: int


@dataclass(frozen=True)
class LowPrecision(Evidence):
    """Parameters stepped directly in bf16 or fp16: ``share`` of the optimizer's elements."""

    dtype: str
    optimizer: str
    elements: int
    share: float
    samples: tuple[LostSample, ...]
