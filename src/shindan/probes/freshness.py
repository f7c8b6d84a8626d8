"""Do these weights look freshly drawn from an initialiser?"""

import math

import torch
from torch import Tensor

LEAST = 256
"""Elements below which nothing can be said."""
MOST = 128
"""Rows and columns looked at."""
KOLMOGOROV = 1.63
"""Critical value at 1 % of sqrt(n) times the Kolmogorov-Smirnov distance."""


def looks_random(weights: Tensor) -> bool | None:
    """Independent draws from one normal or uniform law? None when too small to say.

    ``weights`` (R, C, ...); rows of zeros (a padding index) are left out. Loaded weights have
    heavy tails and columns of different spread; computed tables (sinusoids) have another law.
    """
    if weights.ndim < 2 or weights.numel() < LEAST:
        return None
    sample = weights.detach().reshape(len(weights), -1)[:MOST, :MOST].cpu().double()
    sample = sample[sample.abs().sum(1) > 0]
    if sample.numel() < LEAST or min(sample.shape) < 4:
        return None
    return _even(sample) and _even(sample.T) and _one_law(sample.reshape(-1))


def _even(sample: Tensor) -> bool:
    """Columns of equal spread: the variance of n normal draws varies by sqrt(2 / n)."""
    variances = sample.var(0)
    varies = float(variances.std() / variances.mean().clamp(min=1e-300))
    return varies <= 2.0 * math.sqrt(2.0 / (len(sample) - 1))


def _one_law(values: Tensor) -> bool:
    """Kolmogorov-Smirnov against the normal and the uniform law of the same mean and spread."""
    ordered = values.sort().values
    n = len(ordered)
    standard = (ordered - ordered.mean()) / ordered.std().clamp(min=1e-300)
    steps = torch.arange(1, n + 1, dtype=torch.float64) / n
    normal = torch.special.ndtr(standard)
    uniform = (standard / math.sqrt(12.0) + 0.5).clamp(0.0, 1.0)
    distances = [float((law - steps).abs().max()) for law in (normal, uniform)]
    return min(distances) * math.sqrt(n) <= KOLMOGOROV
