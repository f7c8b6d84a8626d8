"""A long noisy series -> straight pieces.

Cuts are found by PELT (Killick et al. 2012; library ruptures) with a BIC penalty. Neighbouring
losses are correlated, which makes cuts out of nothing: the series is whitened first with its AR(1)
coefficient (a line stays a line), and outliers are replaced. A long series is reduced to blocks of
equal length and of equal ratio together, each weighted by its number of points.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shindan.logs.noise import correlation, off_line, without_outliers
from shindan.logs.phases import Piece
from shindan.logs.series import slope

Array = NDArray[np.float64]
Edges = NDArray[np.int64]

LONG = 20_000
"""Points beyond which medians of equal stretches stand for the series."""
BLOCKS = 128
"""Blocks of equal length, and as many of equal ratio."""
COARSE = (128, 32)
"""Stretches over which the noise is estimated again: slow noise shows in long ones only."""
PARAMETERS = 3.0
"""A further line costs two coefficients and the place of the cut."""
FEWEST = 4
"""Blocks of a piece."""


def shortened(x: Array, y: Array) -> tuple[Array, Array]:
    """Medians of equal stretches of a series longer than LONG; (m,) and (m,)."""
    if len(y) <= LONG:
        return x, y
    width = math.ceil(len(y) / (LONG // 2))
    whole = len(y) // width * width
    middle = width // 2
    return x[:whole].reshape(-1, width)[:, middle], np.median(y[:whole].reshape(-1, width), axis=1)


def pieces_of_series(u: Array, y: Array) -> list[Piece]:
    """Straight pieces over ``u`` (n,), each with its own line; errors HAC."""
    ends = _ends(u, without_outliers(y))
    return [_piece(u, y, a, b) for a, b in pairwise([0, *ends])]


def _piece(u: Array, y: Array, a: int, b: int) -> Piece:
    u, y = u[a:b], y[a:b]
    line, span = slope(u, y), float(u[-1] - u[0]) or 1.0
    per = line.change / span
    start = float(y.mean()) - per * float(u.mean() - u[0])
    return Piece(a, b, start, start + line.change, per, line.low / span, line.high / span)


def _ends(u: Array, y: Array) -> list[int]:
    """Ends of the straight pieces, as indices into the series; the last is its length."""
    from ruptures import Pelt

    rho = correlation(y)
    white = (y[1:] - rho * y[:-1]) / (1 - rho)
    times = (u[1:] - rho * u[:-1]) / (1 - rho)
    edges = _edges(len(white))
    noise = _noise(u[1:], white)
    if noise == 0.0:
        return [len(y)]
    search = Pelt(custom_cost=line_cost(times, white, edges), min_size=FEWEST, jump=1)
    blocks = len(edges) - 1
    found = search.fit(np.arange(blocks)).predict(pen=PARAMETERS * math.log(blocks) * noise)
    return [*(int(edges[i]) + 1 for i in found[:-1]), len(y)]


def _edges(n: int) -> Edges:
    """Borders of the blocks, (blocks + 1,): of equal length, and of equal ratio, together."""
    if n <= 2 * BLOCKS:
        return np.arange(n + 1)
    equal = np.linspace(0, n, BLOCKS + 1)
    ratio = np.geomspace(1, n, BLOCKS + 1)
    return np.unique(np.concatenate([equal, ratio]).round().astype(np.int64))


def _noise(u: Array, y: Array) -> float:
    """Variance of one point; long stretches may vary more than it allows (hard data), never less.

    Stretches of equal length: most of them lie where a curve hardly bends.
    """
    found = [off_line(u, y, np.ones(len(y)))]
    for count in COARSE:
        if len(y) >= 2 * count:
            at = np.linspace(0, len(y), count + 1).astype(np.int64)
            sizes = np.diff(at).astype(np.float64)
            means = [np.add.reduceat(a, at[:-1]) / sizes for a in (u, y)]
            found.append(off_line(means[0], means[1], sizes))
    return max(found)


def line_cost(u: Array, y: Array, edges: Edges) -> object:
    """The cost ruptures asks for: squares of the block means off a line, from running sums."""
    from ruptures.base import BaseCost

    u, y = u - u.mean(), y - y.mean()
    sizes = np.diff(edges).astype(np.float64)
    mean_u, mean_y = (np.add.reduceat(a, edges[:-1]) / sizes for a in (u, y))
    moments = (np.ones_like(sizes), mean_u, mean_y, mean_u**2, mean_u * mean_y, mean_y**2)
    sums = [[0.0, *np.cumsum(sizes * m).tolist()] for m in moments]

    class Line(BaseCost):  # type: ignore[misc]
        model = "line"
        min_size = 2

        def fit(self, signal: object) -> "Line":
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            n, su, sy, suu, suy, syy = (s[end] - s[start] for s in sums)
            across, down, both = suu - su * su / n, syy - sy * sy / n, suy - su * sy / n
            return max(0.0, down - (both * both / across if across > 1e-12 * suu else 0.0))

    return Line()
