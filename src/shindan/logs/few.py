"""What can be said of a few losses: by ranks, since a handful of values tells no distribution."""

import math

import numpy as np

from shindan.core.evidence.trend import Evaluations, FewLosses
from shindan.logs.order import in_order
from shindan.logs.trends import FEWEST, Array

LEAST = 8
"""Values below which nothing is said: of seven in one order none is rarer than 1 / 5040."""
SIDE = 3
"""Values at least on either side of a place where all the later are above all the earlier."""


def few_losses(series: str, x: Array, y: Array) -> FewLosses | None:
    """The finite losses ``y`` (n,) at ``x`` (n,); None unless LEAST <= n < FEWEST, or where
    all are the same.
    """
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if not LEAST <= len(y) < FEWEST or y.min() == y.max():
        return None
    # the highest of the first k and the lowest of the rest, for each k
    highest, lowest = np.maximum.accumulate(y)[:-1], np.minimum.accumulate(y[::-1])[::-1][1:]
    between = slice(SIDE - 1, len(y) - SIDE)
    ratio = np.divide(lowest, highest, out=np.zeros_like(lowest), where=highest > 0)
    at = int(np.argmax(ratio[between])) + SIDE
    return FewLosses(
        *_ranked(series, y),
        parted=int(x[at]),
        below=float(highest[at - 1]),
        above=float(lowest[at - 1]),
    )


def evaluations(series: str, y: Array) -> Evaluations | None:
    """The finite validation losses ``y`` (n,) in the order of their steps; None below LEAST."""
    y = y[np.isfinite(y)]
    if len(y) < LEAST or y.min() == y.max():
        return None
    return Evaluations(*_ranked(series, y), alike=_alike(y))


def _ranked(series: str, y: Array) -> tuple[str, int, float, float, float, float]:
    """What is told of both: name, number, means of the first and last third, chances of order."""
    third = len(y) // 3
    start, end = float(y[:third].mean()), float(y[-third:].mean())
    return series, len(y), start, end, in_order(y), in_order(-y)


def _alike(y: Array) -> float:
    """Chance of so small differences of neighbours among independent values (n,)."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(y)
    ratio = (np.diff(ranks) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum()
    return float(norm.cdf((ratio - 2) / math.sqrt(20 / (5 * len(y) + 7))))
