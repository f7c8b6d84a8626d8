"""What a larger model gains, by two well-known laws; a reference, no measurement of these runs."""

from shindan.core.evidence.gap import Expected, Fits, Part

EXPONENT = 0.076
"""Kaplan et al. 2020: loss as N^-0.076, N without embeddings, data and compute enough."""
SCALE, POWER = 406.4, 0.34
"""Hoffmann et al. 2022, third approach: 406.4 / N^0.34 of the loss goes with the size."""
KAPLAN = (768.0, 1.5e9)
HOFFMANN = (44e6, 16e9)
"""Sizes their laws were measured on."""
ORDER = 3.0
"""Within this factor of what is expected a share is of its order: half a decade, wider than the
two laws lie apart and narrower than what a wrong sign or a broken run makes."""


def expected(loss: float, a: float, b: float) -> tuple[Expected, ...]:
    """Of the gap a - b for sizes ``a`` and ``b``; ``loss`` in nats per token is the smaller's."""
    small, large = sorted((a, b))
    sign = 1.0 if a < b else -1.0
    made = []
    if KAPLAN[0] <= small and large <= KAPLAN[1]:
        made.append(Expected("kaplan", sign * loss * (1 - (small / large) ** EXPONENT)))
    if HOFFMANN[0] <= small and large <= HOFFMANN[1]:
        made.append(Expected("hoffmann", sign * SCALE * (small**-POWER - large**-POWER)))
    return tuple(made)


def fits(part: Part, laws: tuple[Expected, ...]) -> Fits | None:
    """How a measured share lies to what the laws expect; None without any."""
    if not laws:
        return None
    sign = 1.0 if laws[0].value > 0 else -1.0
    low, high = sorted((sign * part.low, sign * part.high))
    least = min(abs(law.value) for law in laws) / ORDER
    most = max(abs(law.value) for law in laws) * ORDER
    if high < 0:
        return "against"
    if low <= 0 and high >= least:
        return "undecided"
    if high < least:
        return "less"
    return "more" if low > most else "as"
