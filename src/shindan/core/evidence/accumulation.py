"""How the micro-steps of one update share its gradient."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Where


@dataclass(frozen=True)
class Window:
    """The ``backward`` calls between two steps of the main optimizer, when there were several.

    Of each: ``labels`` that counted in its language loss, ``weights`` the gradient of the total
    with respect to one label's loss (a GradScaler's scale divided out), ``lines`` that called
    ``backward``, ``losses`` that computed the loss, ``rates`` the LR of the first group then.
    """

    update: int
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    lines: tuple[int, ...]
    losses: tuple[int, ...]
    rates: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """What each micro-step weighs in all: labels times weight."""
        return tuple(n * w for n, w in zip(self.labels, self.weights, strict=True))


@dataclass(frozen=True)
class Accumulation(Evidence):
    """Sampled windows in which every micro-step had a language loss; ``loss`` where it is."""

    windows: tuple[Window, ...]
    loss: Where
    backward: Where
