"""A learning rate was not tuned for its run: another batch's, or the edge of what was tried.

With Adam the rate goes with the square root of the batch (Malladi et al. 2022), with SGD with the
batch itself (Goyal et al. 2017). Told from four times the batch on, where the rate changed by less
than half of the root's way; major where the large batch is the worse one at the ends.

Of three runs or more that differ in the rate alone: the best one is the lowest or the highest that
was tried, and better than its neighbour by more than two errors, so the best rate lies beyond;
info unless seeds were repeated, since their scatter is not in the errors otherwise.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Pairing, check
from shindan.core.evidence.pairs import Facts, Meeting, Pair, Side
from shindan.core.evidence.sweeps import Sweep, Swept, Tried
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
    if kept / rate >= ratio**0.25:
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


@CHECK.also
def of_sweep(sweep: Sweep) -> Iterator[Finding]:
    """Rates tried in a row, the best at its end."""
    if sweep.over != "rate" or sweep.edge is None or not sweep.clear:
        return
    best, tried = sweep.best, sweep.tried
    beside = tried[1] if sweep.edge == "low" else tried[-2]
    yield Finding(
        measured={
            "edge": sweep.edge,
            "tried": tuple(t.value for t in tried),
            "rate_best": best.value,
            "level_best": best.level,
            "rate_beside": beside.value,
            "level_beside": beside.level,
            "axis": sweep.axis,
            "at": sweep.at,
            "wanted": best.value**2 / beside.value,
        },
        severity="minor" if min(best.seeds, beside.seeds) > 1 else "info",
        variant="edge",
    )


def _pair(rate: float, batch: float, gap: float = -0.4) -> Pair:
    return Pair(
        Side("small", Facts(batch=32, rate=1e-4)),
        Side("big", Facts(batch=batch, rate=rate)),
        ends=Meeting("updates", 5000, 3.2, 3.2 - gap, 43065, 5000),
    )


def _sweep(*levels: float, over: Swept = "rate") -> Sweep:
    rates = zip((2.5e-4, 1e-3, 2e-3), levels, strict=True)
    tried = (Tried(i, f"run {i}", rate, level, 0.01) for i, (rate, level) in enumerate(rates))
    return Sweep(over, "updates", 5000, tuple(tried))


SICK = (
    Example(evidence=(_pair(1e-4, 512),), finds=({"times": 16.0, "wanted": 4e-4},)),
    Example(evidence=(_pair(1.5e-4, 512),), finds=({"rate_large": 1.5e-4},)),
    # the large batch is the better one all the same
    Example(evidence=(_pair(1e-4, 512, gap=0.4),), finds=({"times": 16.0},)),
    Example(evidence=(_sweep(3.3, 3.2, 3.1),), finds=({"edge": "high", "rate_beside": 1e-3},)),
    Example(evidence=(_sweep(3.1, 3.2, 3.3),), finds=({"edge": "low", "rate_best": 2.5e-4},)),
)
HEALTHY = (
    # the best inside; at the edge within the error; not of rates
    Example(evidence=(_sweep(3.20, 3.10, 3.20),)),
    Example(evidence=(_sweep(3.30, 3.11, 3.10),)),
    Example(evidence=(_sweep(3.30, 3.20, 3.10, over="parameters"),)),
    Example(evidence=(_pair(4e-4, 512),)),
    Example(evidence=(_pair(2e-4, 512),)),
    Example(evidence=(_pair(1e-4, 64),)),
    Example(evidence=(Pair(Side("one", Facts(batch=32)), Side("two", Facts(batch=512))),)),
)
