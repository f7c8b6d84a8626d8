"""Can this window say whether the loss falls, and how much longer must it be to say so?"""

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.phases import Window
from shindan.logs.trends import FEWEST, slope

Array = NDArray[np.float64]

FALL, PER = 0.01, 100.0
"""A fall that ought to show: 1 % of the loss in 100 updates. Slow starts fall by more: the log
before report 2's by 2.2 %, the 300m run of the same project by 1.5 % while its learning rate
warmed up. Late in a run a fall may well be slower, and a long window shows it."""

SURE = (1.96 + 0.84) / 1.96
"""The interval must be so much smaller than the fall for four of five such windows to show it."""


def window(name: str, unit: str, x: Array, y: Array, per_update: float = 1.0) -> Window | None:
    """Judge the series ``y`` (n,) at steps ``x`` (n,); None below FEWEST finite values.

    ``per_update`` steps make one update.
    """
    finite = np.isfinite(y) & np.isfinite(x)
    x, y = x[finite], y[finite]
    if len(y) < FEWEST or x[0] == x[-1]:
        return None
    line, span, level = slope(x, y), float(x[-1] - x[0]), float(y.mean())
    visible = FALL / PER / per_update * abs(level)
    # half the interval of the change goes with n^-1/2, what is to be seen with n
    half = (line.high - line.low) / 2
    enough = (SURE * half * span**0.5 / visible) ** (2 / 3) if visible else span
    return Window(
        name, unit, len(y), span, level, line, visible, max(0.0, enough - span) / per_update
    )
