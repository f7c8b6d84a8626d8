"""Where a learning rate begins anew within a log that tells of no resume."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FALLING = 3
"""Rows the rate has come down for: a schedule in its decay, not two that alternate."""
LEAP = 1.3
"""A decaying schedule that rises by more from one row to the next ..."""
AT_ONCE = 0.1
"""... and by this share of its peak: a warm-up of more than ten rows is none."""
FLOOR = 0.1
"""Schedules go down to a tenth of their peak or further (Hoffmann et al. 2022, section 3.1)."""
SAME = 0.05
"""A decay begun again may be met some updates after its peak."""


def leaps(lr: Array) -> list[int]:
    """The indices at which the rates (n,) leap up after a decay."""
    peak = float(lr.max(initial=0.0))
    if len(lr) < FALLING + 2 or peak <= 0:
        return []
    at = np.arange(FALLING + 1, len(lr))
    before, after = lr[at - 1], lr[at]
    up = (after > LEAP * before) & (after - before > AT_ONCE * peak)
    return [int(i) for i in at[up] if _decays(lr, int(i))]


def resets(lr: Array) -> Iterator[int]:
    """The leaps at which a decay was cut off and began again at its peak.

    Restarts that a schedule has by rule come when its decay is over, and the next decay ends no
    lower. Here the rate would have gone on falling for FALLING rows at least and come to more than
    FLOOR of the peak, and the decay after the leap goes below that.
    """
    peak = float(lr.max(initial=0.0))
    places = leaps(lr)
    for begin, end in pairwise([*places, len(lr)]):
        later = lr[begin:end]
        lowest = float(later[int(later.argmax()) :].min())
        falls = float(lr[begin - 1 - FALLING] - lr[begin - 1])
        still = float(lr[begin - 1]) - falls
        if still > max(lowest, FLOOR * peak) and peak - lr[begin] <= SAME * peak:
            yield begin


def _decays(lr: Array, i: int) -> bool:
    """Whether the rates before the index ``i`` only fall."""
    moves = np.diff(lr[i - 1 - FALLING : i])
    return bool((moves <= 0).all() and (moves < 0).any())
