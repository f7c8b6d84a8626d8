"""How noisy a series is: robust numbers that neither a trend nor a jump disturbs."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WHITENED = 50
"""Points below which a correlation cannot be estimated."""
MOST = 0.95
SMOOTH = 3.0
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
    """AR(1) coefficient of the noise, from what neighbours one and two apart say of a point.

    In AR(1) noise y[i] - (y[i-k] + y[i+k]) / 2 has the variance sd^2 (1 - rho^k) (3 - rho^k) / 2;
    the ratio of k = 2 to k = 1 grows with rho from 1 to 2. As in Chakar et al. 2017 (Bernoulli 23)
    the spreads are medians, so that jumps do not disturb; a slope drops out. Zero where the
    series is too short, or so smooth that its bends are all there is.
    """
    if len(y) < WHITENED:
        return 0.0
    one, two = (np.median(np.abs(y[k:-k] - (y[2 * k :] + y[: -2 * k]) / 2)) for k in (1, 2))
    if one == 0 or (two / one) ** 2 > SMOOTH:
        return 0.0
    rho = np.linspace(0, MOST, 200)
    return float(np.interp((two / one) ** 2, (1 + rho) * (3 - rho**2) / (3 - rho), rho))


def off_line(u: Array, y: Array, weight: Array) -> float:
    """Variance of a point of weight 1, from each point against the line through its neighbours.

    ``u`` (n,) ascending, ``y`` (n,), ``weight`` (n,): of how many points each is the mean.
    """
    span = u[2:] - u[:-2]
    share = np.where(span > 0, (u[1:-1] - u[:-2]) / np.where(span > 0, span, 1.0), 0.5)
    off = y[1:-1] - (1 - share) * y[:-2] - share * y[2:]
    of_one = 1 / weight[1:-1] + (1 - share) ** 2 / weight[:-2] + share**2 / weight[2:]
    return float((SD * np.median(np.abs(off) / np.sqrt(of_one))) ** 2)
