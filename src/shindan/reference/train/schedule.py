"""The learning rate as a pure function of the update: nothing to save, nothing to fall behind."""

import math


def rate(update: int, updates: int, peak: float, shape: str, warmup: int) -> float:
    """The learning rate of ``update`` (0 is the first) of ``updates``.

    It rises linearly over ``warmup`` updates, the first of which already moves, then stays
    (constant) or falls to zero just after the last update (linear, cosine).
    """
    if update < warmup:
        return peak * (update + 1) / (warmup + 1)
    if shape == "constant":
        return peak
    gone = (update - warmup) / max(1, updates - warmup)
    return peak * (1 - gone if shape == "linear" else 0.5 * (1 + math.cos(math.pi * gone)))
