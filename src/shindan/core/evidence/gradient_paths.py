"""Parameters that are trained and never got a gradient."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class Ungraded:
    """A parameter that requires gradients, belongs to an optimizer, and never had one.

    ``effect`` is how far the logits move when it is changed, relative to their spread; ``used``
    whether any call of a replay took it, or the module that holds it ran; ``owner`` the innermost
    module of the user's own code or, with ``library``, of an installed library that holds it;
    ``elements`` how many numbers it has; ``position_table`` whether it is named like one;
    ``expert`` whether its path says that it is used for some inputs only.
    """

    name: str
    owner: str
    library: bool
    elements: int
    effect: float
    used: bool
    position_table: bool = False
    expert: bool = False


@dataclass(frozen=True)
class GradientPaths(Evidence):
    """After ``steps`` updates; ``trained`` parameters had gradients.

    ``cut`` is the first line of a replay with gradients where a value that depends on one of the
    ``parameters`` went on without its graph, ``how`` the call that did it (``no_grad`` for a
    call under it).
    """

    steps: int
    trained: int
    parameters: tuple[Ungraded, ...]
    cut: Where = NOWHERE
    how: str = ""
