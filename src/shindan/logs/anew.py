"""Where the count of a log falls back to where a training from scratch begins."""

import numpy as np
from numpy.typing import NDArray

from shindan.logs.table import Numbers

Rows = NDArray[np.int64]

FIRST = 1.5
"""A training from scratch writes its first row at 0, at 1 or after one interval: its count rounds
to one interval at most. One that was resumed has an interval behind it, so to two at least."""


def begun(at: Numbers) -> Rows:
    """The indices i of the counts ``at`` (n,) that fall there, to the beginning of a count.

    The interval is that of the rows ``i`` and ``i + 1``, or the usual one where the next falls.
    """
    moves = np.diff(at)
    falls = np.flatnonzero(moves < 0) + 1
    if not len(falls):
        return falls
    forward = moves[moves > 0]
    usual = float(np.median(forward)) if len(forward) else 0.0
    ahead = np.append(moves, 0.0)[falls]
    return np.asarray(falls[at[falls] < FIRST * np.where(ahead > 0, ahead, usual)])


def counted_on(x: Numbers, index: Rows, fresh: Rows) -> Numbers:
    """The counts ``x`` (rows,) where those that begin anew go on from the ones before.

    ``index`` are the rows that count, ``fresh`` the places in it at which they begin anew.
    """
    at = x[index]
    moves = np.diff(at)
    forward = moves[moves > 0]
    interval = float(np.median(forward)) if len(forward) else 1.0
    more = np.zeros(len(x))
    for place in fresh.tolist():
        more[falls_at(x, int(index[place - 1]), int(index[place]))] += (
            at[place - 1] - at[place] + interval
        )
    return np.asarray(x + np.cumsum(more))


def falls_at(x: Numbers, before: int, row: int) -> int:
    """The first row after ``before``, ``row`` at the latest, whose count is below the last."""
    return before + 1 + int(np.argmax(np.diff(x[before : row + 1]) < 0))
