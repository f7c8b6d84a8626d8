"""A GradScaler beside the precision it is used in."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class LossScaling(Evidence):
    """``scaled``: backwards of a scaled loss; ``bf16``: those whose forward ran under bf16.

    ``scale``: the first scale seen.
    """

    scaled: int
    bf16: int
    scale: float = 1.0
    where: Where = NOWHERE
