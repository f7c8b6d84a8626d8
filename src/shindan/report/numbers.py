"""Numbers as people read them."""

import math

from shindan.core.finding import Measure, Number

LONGEST = 12
"""Items of a tuple that are spelt out."""


def number(value: Number) -> str:
    """Four figures at most; integers in full."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e6):
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.6g}" if size >= 1000 else f"{value:.4g}"


def measure(value: Measure) -> str:
    """One measured value; long tuples are cut."""
    if isinstance(value, tuple):
        shown = ", ".join(measure(v) for v in value[:LONGEST])
        return f"{shown}, … ({len(value)})" if len(value) > LONGEST else shown
    return value if isinstance(value, str) else number(value)
