"""How the micro-steps of one update share its gradient."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Where


@dataclass(frozen=True)
class Window:
    """The ``backward`` calls between two steps of the main optimizer, when there were several.

    Of each: ``labels`` that counted in its language loss, ``weights`` the gradient of the total
    with respect to one label's loss (a GradScaler's scale divided out), ``lines`` that called
    ``backward``, ``losses`` that computed the loss, ``rates`` the LR of the first group then,
    ``heaviest`` what the heaviest of its losses over labels weighs in all (beside the language loss
    there may be others). ``factors`` are the numbers that losses are multiplied by before
    ``backward``.
    """

    update: int
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    lines: tuple[int, ...]
    losses: tuple[int, ...]
    rates: tuple[float, ...]
    heaviest: tuple[float, ...] = ()
    factors: tuple[float, ...] = ()

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
