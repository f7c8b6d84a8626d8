"""What the gradients held when each ``backward`` began."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Where


@dataclass(frozen=True)
class ZeroingRow:
    """The sampled windows of one optimizer; a window is all ``backward`` calls between two steps.

    ``windows`` had at least one ``backward``; in ``uncleared`` of them sampled gradients were
    nonzero at every one, and the first found what the last step had used. ``multi`` windows hold
    several ``backward`` calls from one line, with the parameters unmoved in between; in
    ``wiped`` of them the gradients were zero at each start, and the step used a multiple of what
    the last one alone had left, and in ``gathered`` the gradients were there at every start but
    the first. ``per_update`` is the typical number of calls in a window.
    ``step`` and ``zero`` are the lines of ``optimizer.step`` and the last ``zero_grad``.
    """

    optimizer: str
    windows: int
    uncleared: int
    multi: int
    wiped: int
    per_update: int
    step: Where
    zero: Where
    gathered: int = 0


@dataclass(frozen=True)
class Zeroing(Evidence):
    """One row for each optimizer watched."""

    rows: tuple[ZeroingRow, ...]
