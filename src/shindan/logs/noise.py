"""How noisy a series is: robust numbers that neither a trend nor a jump disturbs."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WHITENED = 50
"""Points below which a correlation cannot be estimated."""
MOST = 0.95
OUTLIER = 5.0
NEIGHBOURS = 5
SD = 1.4826
"""Median absolute deviation of normal noise -> its standard deviation."""


def without_outliers(y: Array) -> Array:
    """Values far off their neighbours replaced by the neighbours' median (Hampel's filter)."""
    from scipy.ndimage import median_filter

    if len(y) < 6 * NEIGHBOURS:
        return y
    usual = median_filter(y, 2 * NEIGHBOURS + 1, mode="nearest")
    off = np.abs(y - usual)
    spread = SD * float(np.median(off))
    return np.where(off > OUTLIER * spread, usual, y) if spread > 0 else y


def correlation(y: Array) -> float:
    """AR(1) coefficient of the noise: 1 + rho = (med|y[i+2]-y[i]| / med|y[i+1]-y[i]|)^2.

    Chakar, Lebarbier, Levy-Leduc, Robin 2017 (Bernoulli 23), differences centred so that a
    common slope drops out. Zero where the series is too short or has no noise.
    """
    if len(y) < WHITENED:
        return 0.0
    one, two = (np.median(np.abs(d - np.median(d))) for d in (np.diff(y), y[2:] - y[:-2]))
    return min(MOST, max(0.0, float((two / one) ** 2 - 1.0))) if one > 0 else 0.0


def off_line(u: Array, y: Array, weight: Array) -> float:
    """Variance of a point of weight 1, from each point against the line through its neighbours.

    ``u`` (n,) ascending, ``y`` (n,), ``weight`` (n,): of how many points each is the mean.
    """
    span = u[2:] - u[:-2]
    share = np.where(span > 0, (u[1:-1] - u[:-2]) / np.where(span > 0, span, 1.0), 0.5)
    off = y[1:-1] - (1 - share) * y[:-2] - share * y[2:]
    of_one = 1 / weight[1:-1] + (1 - share) ** 2 / weight[:-2] + share**2 / weight[2:]
    return float((SD * np.median(np.abs(off) / np.sqrt(of_one))) ** 2)
