"""Do the losses of an epoch repeat those of the epoch before? Then no weight has changed."""

import numpy as np

from shindan.core.evidence.beside import Repeats
from shindan.logs.trends import Array

LEAST, DIFFERENT = 5, 4
"""Losses that repeat one of the epoch before, and different values among them."""
FIGURES = 4
"""Figures of most of them: five that agree by chance in four figures each are unheard of."""
PERIODS = 50
"""Places at which the first loss is seen again that are tried."""
AN_EPOCH = 0.05


def repeats(column: str, y: Array, epoch: Array) -> Repeats | None:
    """The finite losses ``y`` (n,) of the rows of a run, ``epoch`` (n,) of each.

    None where no loss has one of the epoch before it. Rows written twice are of one epoch, and a
    cycle of another length is another matter.
    """
    if len(y) < 2 or not np.isfinite(epoch).all() or epoch[-1] - epoch[0] < 1 - AN_EPOCH:
        return None
    for period in (np.flatnonzero(y[1:] == y[0]) + 1)[:PERIODS].tolist():
        again, first = y[period:], y[:-period]
        on = epoch[period:] - epoch[:-period]
        if not np.array_equal(again, first) or (np.abs(on - 1) > AN_EPOCH).any():
            continue
        different = len(np.unique(again))
        figures = np.median([_figures(v) for v in again[:PERIODS].tolist()])
        if len(again) >= LEAST and different >= DIFFERENT and figures >= FIGURES:
            return Repeats(column, period, len(again), different)
    return Repeats(column)


def _figures(value: float) -> int:
    """Significant figures of a number as it is written shortest."""
    return len(f"{value:.15g}".partition("e")[0].replace(".", "").lstrip("-0"))
