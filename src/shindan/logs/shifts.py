"""A level that is lost from one row to the next: in the middle of a run, and as a log begins."""

import math

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.trend import Jump
from shindan.logs.noise import SD, correlation
from shindan.logs.trends import HIGH, LONGEST, Array, means, noise

SIDE = 40
"""Rows on each side: what lasts for so many is no batch and no spike."""
NEAR = 5
"""Rows next to the place, which must already show ...."""
LATER = 160
"""Rows by which a level is known within a tenth of their sd."""
OWN = 3.0
BESIDE = 20
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


def begins_high(x: Array, y: Array) -> Jump | None:
    """A resumed log whose losses ``y`` (n,) at ``x`` (n,) leap after the first one, and come back.

    The first loss is that of the loaded weights, before any update. It must be what the losses are
    later, from SIDE rows on, up to OWN of their sd: a mean that begins at zero is lower.
    None where it is not, or the log is too short.
    """
    if len(y) < 2 * SIDE:
        return None
    later = y[SIDE : SIDE + LATER]
    level = float(np.median(later))
    sd = SD * float(np.median(np.abs(later - level)))
    if abs(y[0] - level) > OWN * sd:
        return None
    error = sd * math.sqrt(1 + 1 / NEAR)
    return Jump(int(x[1]), float(y[0]), float(y[1 : 1 + NEAR].mean()), error, 1)


def at_leap(x: Array, y: Array, at: int) -> Jump | None:
    """The jump of the losses ``y`` (n,) at the index ``at`` or one before, where the rate leaps.

    A rate logged for the update before shows one row late. The error is of the means of BESIDE
    rows on each side. None where there are fewer than NEAR, or where these are not apart by SUDDEN
    of the height and as a spike is from the log's noise of one row: slow noise moves means as far,
    but no row from the next.
    """
    found = []
    least = HIGH * noise(y)
    for place in (at - 1, at):
        width = min(BESIDE, place, len(y) - place)
        if width < NEAR:
            continue
        before, after = y[place - width : place], y[place : place + width]
        error = math.sqrt((before.var(ddof=1) + after.var(ddof=1)) / width)
        low, high = float(before.mean()), float(after.mean())
        gap = float(after[:NEAR].min() - before[-NEAR:].max())
        if high > low and gap >= max(SUDDEN * (high - low), least):
            found.append(Jump(int(x[place]), low, high, error, width, loaded=False))
    return max(found, key=lambda j: (j.after - j.before) / (j.error or math.inf), default=None)


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
