"""What the model makes of its context: interventions on a replayed batch."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class ContextUse(Evidence):
    """The last look's batch in eval mode, with parts of its input replaced.

    ``change`` is the mean total variation distance between the predictions at a position and
    those with every *other* usable input token replaced by another row's (next-token objective:
    everything before the current token); ``spread`` the Jensen-Shannon divergence (nats) of the
    predictions over positions: 0 when every position gets the same answer. ``copied`` is the
    share of counted labels equal to the input token at their own position; ``future`` the rise of
    the loss (nats) when the tokens after a position are replaced (next-token objective only).
    ``matrices`` is how many parameters of two or more dimensions the model has.
    """

    update: int
    objective: str
    positions: int
    change: float
    spread: float
    copied: float
    future: float | None
    loss: float
    matrices: int = 8
