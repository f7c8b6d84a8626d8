"""One run has a far larger batch and the other's learning rate.

With Adam the rate goes with the square root of the batch (Malladi et al. 2022), with SGD with the
batch itself (Goyal et al. 2017). Told from four times the batch on, where the rate changed by less
than half of the root's way; major where the large batch is the worse one at the ends.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Pairing, check
from shindan.core.evidence.pairs import Facts, Meeting, Pair, Side
from shindan.core.example import Example
from shindan.core.finding import Finding

LARGER = 4.0
RULE = 0.8
"""A rule of thumb: less sure than levels that were measured."""


@check(
    id="comparison/lr-not-retuned",
    kind="cause",
    severity="major",
    grounds="relation",
    pair=Pairing("report4_baseline", "report4_advanced"),
    refs=("Malladi et al. 2022", "Goyal et al. 2017"),
)
def CHECK(pair: Pair) -> Iterator[Finding]:
    """Batches against rates."""
    small, large = sorted((pair.a, pair.b), key=lambda side: side.facts.batch or 0.0)
    batch, wide = small.facts.batch, large.facts.batch
    rate, kept = small.facts.rate, large.facts.rate
    if not batch or not wide or not rate or not kept or wide < LARGER * batch:
        return
    ratio = wide / batch
    if math.log(kept / rate) >= 0.25 * math.log(ratio):
        return
    worse = pair.ends is not None and (pair.ends.gap > 0) == (large is pair.a)
    yield Finding(
        measured={
            "run_small": small.name,
            "run_large": large.name,
            "batch_small": batch,
            "batch_large": wide,
            "rate_small": rate,
            "rate_large": kept,
            "times": ratio,
            "wanted": rate * math.sqrt(ratio),
        },
        severity=None if worse else "info",
        confidence=RULE,
    )


def _pair(rate: float, batch: float, gap: float = -0.4) -> Pair:
    return Pair(
        Side("small", Facts(batch=32, rate=1e-4)),
        Side("big", Facts(batch=batch, rate=rate)),
        ends=Meeting("updates", 5000, 3.2, 3.2 - gap, 43065, 5000),
    )


SICK = (
    Example(evidence=(_pair(1e-4, 512),), finds=({"times": 16.0, "wanted": 4e-4},)),
    Example(evidence=(_pair(1.5e-4, 512),), finds=({"rate_large": 1.5e-4},)),
    # the large batch is the better one all the same
    Example(evidence=(_pair(1e-4, 512, gap=0.4),), finds=({"times": 16.0},)),
)
HEALTHY = (
    Example(evidence=(_pair(4e-4, 512),)),
    Example(evidence=(_pair(2e-4, 512),)),
    Example(evidence=(_pair(1e-4, 64),)),
    Example(evidence=(Pair(Side("one", Facts(batch=32)), Side("two", Facts(batch=512))),)),
)
