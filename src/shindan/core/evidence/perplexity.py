"""Perplexities the script told, beside those its own evaluation gives."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class ToldPerplexity:
    """``value`` as told, known to ``slack`` (half a unit of its last place).

    Of the ``batches`` evaluated before it: ``tokens`` is exp of the mean loss per label,
    ``batch_losses`` exp of the mean of the batches' losses, ``batch_perplexities`` the mean of
    the batches' perplexities.
    """

    value: float
    slack: float
    batches: int
    tokens: float
    batch_losses: float
    batch_perplexities: float
    where: Where = NOWHERE


@dataclass(frozen=True)
class Perplexities(Evidence):
    """The first few that were told after an evaluation."""

    told: tuple[ToldPerplexity, ...]
