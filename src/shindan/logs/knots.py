"""A short table of evaluations -> straight pieces that meet at knots.

Few points, each with little noise: a piece of three points is only known because its neighbours
end where it begins. Knots are added one at a time where they help most and then moved until no
move helps; a knot must be worth its price, and explain more than slow noise does.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shindan.logs.direction import supported
from shindan.logs.noise import off_line
from shindan.logs.pieces import Piece

Array = NDArray[np.float64]

MOST = 6
LEAST = 2
"""Points of a piece."""
PRICE = 4.0
"""Twice the BIC's price of a place and a slope, since the noise itself is estimated from these few
points: so 5 of 100 tables of 14 numbers of pure noise get a knot (tests/logs), 23 at the BIC's."""


def pieces_of_table(u: Array, y: Array) -> list[Piece]:
    """Straight pieces over ``u`` (n,), with intervals from the scatter about all of them."""
    from statsmodels.regression.linear_model import OLS

    price = PRICE * math.log(len(y)) * off_line(u, y, np.ones(len(y)))
    knots = supported(lambda chosen: _basis(u, chosen), y, _knots(u, y, price))
    fit = OLS(y, _basis(u, knots)).fit()
    fitted, bounds = fit.fittedvalues, fit.conf_int()
    ends = [0, *knots, len(y) - 1]
    return [
        Piece(
            begin=a + (1 if i else 0),
            end=b + 1,
            start=float(fitted[a]),
            stop=float(fitted[b]),
            slope=float(fit.params[i + 1]),
            low=float(bounds[i + 1][0]),
            high=float(bounds[i + 1][1]),
        )
        for i, (a, b) in enumerate(pairwise(ends))
    ]


def _knots(u: Array, y: Array, price: float) -> list[int]:
    knots: list[int] = []
    left = _left(u, y, knots)
    while len(knots) < min(MOST, (len(y) - 2) // 3):
        more, left_then = _moved(u, y, _added(u, y, knots))
        if not left - left_then > price:  # also where numbers of 1e300 make it no number
            break
        knots, left = more, left_then
    return knots


def _added(u: Array, y: Array, knots: list[int]) -> list[int]:
    taken = [-1, *knots, len(y) - 1]
    far = [i for i in range(1, len(y) - 1) if min(abs(i - k) for k in taken) >= LEAST]
    free = [i for i in far if u[i] > u[i - 1]]
    return min((sorted([*knots, i]) for i in free), key=lambda k: _left(u, y, k), default=knots)


def _moved(u: Array, y: Array, knots: list[int]) -> tuple[list[int], float]:
    """Each knot where it is best while the others stay, until none moves."""
    left = _left(u, y, knots)
    while True:
        best = knots
        for j in range(len(knots)):
            low = best[j - 1] if j else -1
            high = best[j + 1] if j + 1 < len(best) else len(y) - 1
            near = range(low + LEAST, high - LEAST + 1)
            places = ([*best[:j], i, *best[j + 1 :]] for i in near)
            best = min(places, key=lambda k: _left(u, y, k))
        then = _left(u, y, best)
        if then >= left:
            return knots, left
        knots, left = best, then


def _basis(u: Array, knots: Sequence[int]) -> Array:
    """(n, pieces + 1): a level, and how far each point has come on each piece."""
    ends = [u[0], *(u[k] for k in knots), u[-1]]
    way = [np.clip(u, a, b) - a for a, b in pairwise(ends)]
    return np.column_stack([np.ones(len(u)), *way])


def _left(u: Array, y: Array, knots: list[int]) -> float:
    """Squares left by the pieces."""
    basis = _basis(u, knots)
    best = np.linalg.lstsq(basis, y, rcond=None)[0]
    return float(((y - basis @ best) ** 2).sum())
