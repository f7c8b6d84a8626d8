"""A long noisy series -> straight pieces.

Cuts are found by PELT (Killick et al. 2012; library ruptures) with a BIC penalty. Neighbouring
losses are correlated, which makes cuts out of nothing: the series is whitened first with its AR(1)
coefficient (a line stays a line), and outliers are replaced; what is found must explain more than
slow noise does (``logs/direction.py``). A long series is reduced to blocks of
equal length and of equal ratio together, each weighted by its number of points.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shindan.logs.direction import blocks, means_of, parted, supported
from shindan.logs.noise import correlation, off_line, without_outliers
from shindan.logs.pieces import Piece
from shindan.logs.trends import slope

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
NORMAL = 1.96
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


def pieces_of_series(x: Array, u: Array, y: Array) -> list[Piece]:
    """Straight pieces over ``u`` = ln ``x`` (n,), each with its own line."""
    clean = without_outliers(y)
    rho = correlation(clean)
    ends = [0, *_kept(u, clean, _cuts(u, clean, rho)), len(y)]
    return [_piece(x[a:b], u[a:b], y[a:b], a, rho) for a, b in pairwise(ends)]


def _kept(u: Array, y: Array, cuts: list[int]) -> list[int]:
    """The cuts that explain more than slow noise does."""
    if not cuts:
        return cuts
    edges = blocks(len(y), cuts)
    middle = means_of(u, edges)
    return supported(lambda chosen: parted(middle, edges, chosen), means_of(y, edges), cuts)


def _piece(x: Array, u: Array, y: Array, begin: int, rho: float) -> Piece:
    """Straight over the step or over its logarithm, whichever shows more (a window of a longer run
    does not begin at one); the error is the larger of HAC's and AR(1)'s.
    """
    line, axis = max(((slope(a, y), a) for a in (u, x)), key=lambda f: abs(f[0].t_independent))
    share = (axis - axis.mean()) / (float(axis[-1] - axis[0]) or 1.0)
    start, stop = (float(y.mean()) + line.change * float(s) for s in (share[0], share[-1]))
    alone = abs(line.change / line.t_independent) if line.t_independent else 0.0
    half = max((line.high - line.low) / 2, NORMAL * alone * math.sqrt((1 + rho) / (1 - rho)))
    span = float(u[-1] - u[0]) or 1.0
    per, off = line.change / span, half / span
    return Piece(begin, begin + len(y), start, stop, per, per - off, per + off)


def _cuts(u: Array, y: Array, rho: float) -> list[int]:
    """Where one straight piece ends and the next begins, as indices into the series."""
    from ruptures import Pelt

    times, white = ((a[1:] - rho * a[:-1]) / (1 - rho) for a in (u, y))
    edges = equal_and_ratio(len(white))
    noise = _noise(u[1:], white)
    if noise == 0.0:
        return []
    search = Pelt(custom_cost=line_cost(times, white, edges), min_size=FEWEST, jump=1)
    blocks = len(edges) - 1
    found = search.fit(np.arange(blocks)).predict(pen=PARAMETERS * math.log(blocks) * noise)
    return [int(edges[i]) + 1 for i in found[:-1]]


def equal_and_ratio(n: int) -> Edges:
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
            return float(max(0.0, down - (both * both / across if across > 1e-12 * suu else 0.0)))

    return Line()
