"""Tests by ranks: whether values stand in rising order."""

from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray


def in_order(values: NDArray[np.float64]) -> float:
    """The chance that as many pairs of the values (n,) rise when their order means nothing.

    Kendall's tau, one-sided; exact where no two values are equal.
    """
    if values.min() == values.max():
        return 1.0
    from scipy.stats import kendalltau

    tau = kendalltau(np.arange(len(values)), values, alternative="greater")
    chance: SupportsFloat = tau.pvalue
    return float(chance)
