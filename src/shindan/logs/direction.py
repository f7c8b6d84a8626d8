"""Is what a curve seems to do more than slow noise? A likelihood ratio that knows of slow noise.

The losses of neighbouring updates are correlated, and strongly correlated noise wanders: over a
window it falls, stands and turns like a curve. So every direction and every cut must explain more
than AR(1) noise of *any* coefficient does, a random walk included: both descriptions, the richer
and the poorer, get the coefficient that suits them best (unconditional least squares, Box &
Jenkins), and the ratio must exceed what such noise alone gives. ``benchmarks/directions.py``
measures the false alarms, with these limits and with others.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Edges = NDArray[np.int64]
Basis = Callable[[Sequence[int]], Array]

BLOCKS = 64
"""Means of so many equal stretches keep what is slow, and what is fast drops out."""
POWERS = (-1.0, 0.0, 0.5, 1.0)
"""Shapes a fall may have: a line over the step t, over ln t (0), t^-1/2 and 1 / t."""
LINE = 13.0
"""What the best of them must gain on a level: under noise the 97.5 % quantile is 5 where it is
white, and at most 12 where it is nearly a random walk, of 20 to 1,000 points."""
CUT, PLACES = 6.6, 40
"""What a cut must gain on no cut, times ln n, at the best of n places (of PLACES at most: places
near each other are one); under a random walk the 97.5 % quantiles are 19 (20 points), 24 (40) and
23 (64 means). With both, at most 5 % of series of any such noise are said to go anywhere."""
COEFFICIENTS = (*np.linspace(0.0, 0.95, 20).tolist(), 0.97, 0.98, 0.99, 1.0)
FEW, CUT_OF_FEW = 20, 5.5
"""Fewer points cannot tell cuts from slow noise at all. They are epochs or evaluations, means of
many batches: for cuts their noise is taken to be MODERATE at most; 97.5 % quantiles 11 (8 points)
to 14 (19)."""
MODERATE = 0.5
ROUNDING = 1e-24
"""Squares of residuals that are rounding, relative to the values'."""
TINY = 1e-300


def left(basis: Array, y: Array, most: float = 1.0) -> float:
    """Squares of innovations that ``y`` (n,) = ``basis`` (n, k) b + AR(1) noise leaves at least.

    Of noise with a coefficient of ``most`` at most.
    """
    least = math.inf
    for rho in COEFFICIENTS:
        if rho > most:
            break
        columns, values = (_whitened(a, rho) for a in (basis, y))
        best = np.linalg.lstsq(columns, values, rcond=None)[0]
        least = min(least, float(((values - columns @ best) ** 2).sum()))
    return max(least, ROUNDING * float(y @ y), TINY)


def _whitened(values: Array, rho: float) -> Array:
    """Differences of neighbours at distance ``rho``; the first one weighs as its variance asks."""
    return np.concatenate([math.sqrt(1 - rho * rho) * values[:1], values[1:] - rho * values[:-1]])


def gain(poorer: float, richer: float, freedom: int) -> float:
    """Twice the log likelihood ratio of two sums of squares; ``freedom`` points are left over."""
    return max(0, freedom) * math.log(poorer / richer)


def supported(basis: Basis, y: Array, cuts: Sequence[int]) -> list[int]:
    """The cuts without which ``y`` (n,) would be clearly worse described; the weakest goes first.

    ``basis`` makes the columns (n, k) that belong to a choice of cuts.
    """
    kept = list(cuts)
    columns = basis(kept)
    most = 1.0 if len(y) >= FEW else MODERATE
    now = left(columns, y, most)
    while kept:
        freedom = len(y) - columns.shape[1]
        fewer = [[c for c in kept if c != cut] for cut in kept]
        lefts = [left(basis(one), y, most) for one in fewer]
        i = int(np.argmin(lefts))
        if gain(lefts[i], now, freedom) >= _price(len(y)):
            break
        kept, now, columns = fewer[i], lefts[i], basis(fewer[i])
    return kept


def _price(n: int) -> float:
    return CUT_OF_FEW * math.log(n) if n < FEW else CUT * math.log(min(n, PLACES))


def directed(u: Array, y: Array) -> int:
    """-1 or 1 where ``y`` (n,) falls or rises over ``u`` = ln step (n,) beyond slow noise; else 0.

    The whole of it as one curve that bends one way.
    """
    level = np.ones((len(y), 1))
    t = u - u[-1]  # powers of far steps do not overflow
    shapes = [t if power == 0 else -np.sign(power) * np.exp(-power * t) for power in POWERS]
    lines = [np.column_stack([level, shape - shape.mean()]) for shape in shapes]
    lefts = [left(line, y) for line in lines]
    i = int(np.argmin(lefts))
    if gain(left(level, y), lefts[i], len(y) - 3) < LINE:
        return 0
    return int(np.sign(lines[i][:, 1] @ y))


def blocks(n: int, cuts: Sequence[int] = ()) -> Edges:
    """Borders (blocks + 1,) of equal stretches of a series of n points, the cuts among them."""
    equal = np.linspace(0, n, min(n, BLOCKS) + 1).round().astype(np.int64)
    return np.union1d(equal, np.asarray(cuts, dtype=np.int64))


def means_of(values: Array, edges: Edges) -> Array:
    """(blocks,) means of ``values`` (n,) between the borders."""
    return np.asarray(np.add.reduceat(values, edges[:-1]) / np.diff(edges))


def parted(u: Array, edges: Edges, cuts: Sequence[int]) -> Array:
    """(blocks, 2 pieces): a level and a slope over ``u`` (blocks,) of each piece."""
    columns: list[Array] = []
    for begin, end in pairwise([0, *cuts, int(edges[-1])]):
        inside = ((edges[:-1] >= begin) & (edges[:-1] < end)).astype(np.float64)
        columns += [inside, inside * (u - u[inside > 0].mean())]
    return np.column_stack(columns)
