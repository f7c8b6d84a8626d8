"""Does the model know where a token stands?"""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.order import OrderTest
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class PositionTable:
    """A parameter or buffer that is named a position table and has the embedding's width.

    ``effect`` is how far the logits move, relative to their spread, when it is changed; ``indices``
    how many different rows of it were looked up (None: not looked up by index).
    """

    name: str
    rows: int
    trained: bool
    effect: float
    indices: int | None = None


@dataclass(frozen=True)
class PositionProbe(Evidence):
    """Position information, by intervention.

    ``equivariance``: tokens of each row were permuted; mean |difference| of the permuted logits
    from the logits of the permuted row, relative to their spread (None: a next-token objective).
    ``row_order``: the rows were exchanged; the same for the rows' logits (0 when a row's logits do
    not depend on its place in the batch; None: not measured). ``other_scheme``: rotary, relative
    or recurrent position information was recognised. ``order``: whether order matters at all to
    a next-token model in which something says that it should.
    """

    lag: int | None
    equivariance: float | None
    row_order: float | None
    tables: tuple[PositionTable, ...]
    other_scheme: bool
    where: Where = NOWHERE
    order: OrderTest | None = None
