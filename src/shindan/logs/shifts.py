"""A level that is lost from one row to the next and stays lost, in the middle of a run."""

import math

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.trend import Jump
from shindan.logs.noise import SD, correlation
from shindan.logs.trends import LONGEST, Array, means

SIDE = 40
"""Rows on each side: what lasts for so many is no batch and no spike."""
NEAR = 5
"""Rows next to the place, which must already show ...."""
SUDDEN = 0.5
"""... this share of the height: else it is a slope."""


def shift(x: Array, y: Array) -> Jump | None:
    """The place at ``x`` (n,) where the finite losses ``y`` (n,) rise most clearly and suddenly.

    None where no place is sudden, or the log is too short to say what is usual in it. The error is
    that of the difference of the means of both sides, or what such a difference usually is in this
    log where that is more. Beyond LONGEST rows, means of equal stretches stand for them.
    """
    if len(y) < 2 * SIDE:
        return None
    size = math.ceil(len(y) / LONGEST)
    x, y = means(x, LONGEST), means(y, LONGEST)
    before, after = _sides(y, SIDE)
    near = _sides(y, NEAR)
    inner = slice(SIDE - NEAR, len(y) - SIDE - NEAR + 1)
    height = after.mean(axis=1) - before.mean(axis=1)
    close = (near[1].mean(axis=1) - near[0].mean(axis=1))[inner]
    error = np.sqrt((before.var(axis=1, ddof=1) + after.var(axis=1, ddof=1)) / SIDE)
    rho = correlation(y)
    error *= math.sqrt((1 + rho) / (1 - rho))  # neighbours say the same in part: AR(1)
    t = np.divide(height, error, out=np.zeros_like(height), where=error > 0)
    t[close < SUDDEN * height] = 0.0
    at = int(np.argmax(t))
    usual = _usual(height, at)
    if usual is None or not t[at] > 0 or not math.isfinite(t[at]):
        return None
    return Jump(
        update=int(x[at + SIDE]),
        before=float(before[at].mean()),
        after=float(after[at].mean()),
        error=max(float(error[at]), usual),
        window=SIDE * size,
        loaded=False,
    )


def _usual(height: Array, at: int) -> float | None:
    """How far two sides of this log usually differ, where the place has no part in it.

    Slow noise moves them as far anywhere. A level that comes back moves them, too, so the next
    largest place has no part either. None where there are too few others to say.
    """
    others = np.abs(height)
    for place in (at, None):
        next_one = int(np.nanargmax(others)) if place is None else place
        others[max(0, next_one - 2 * SIDE) : next_one + 2 * SIDE + 1] = np.nan
        if np.isfinite(others).sum() < 2 * SIDE:
            return None
    return SD * float(np.nanmedian(others))


def _sides(y: Array, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ``width`` values before and after each place that has so many, two of (places, width)."""
    windows = np.lib.stride_tricks.sliding_window_view(y, width)
    return windows[: len(y) - 2 * width + 1], windows[width:]
