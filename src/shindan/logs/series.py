"""Placeholder until readdoor's is merged."""

import math

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.trend import Slope

Array = NDArray[np.float64]


def slope(x: Array, y: Array) -> Slope:
    """A straight line through the points, its error with Newey-West weights."""
    from statsmodels.regression.linear_model import OLS

    n, span = len(y), float(x[-1] - x[0]) or 1.0
    lags = max(1, int(4 * (n / 100) ** (2 / 9)))
    design = np.column_stack([np.ones(n), (x - x[0]) / span])
    fit = OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True)
    low, high = fit.conf_int()[1]
    t = float(fit.tvalues[1])
    return Slope(float(fit.params[1]), float(low), float(high), t if math.isfinite(t) else 0.0)
