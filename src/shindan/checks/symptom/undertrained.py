"""Still falling at a steady rate when the run ended.

Only where the learning rate was never decayed (a decayed run was meant to end) and the last
quarter of the updates brought SHARE of the whole fall, at least CERTAIN of it with 97.5 %
confidence (HAC). A straight line gives .25, an exponential .13 after one and a half of its time
constants, .10 after two, .02 after four; a power law t^-0.4 .04.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.trend import LossTrend, Slope
from shindan.core.example import Example
from shindan.core.finding import Finding

SHARE = 0.13
CERTAIN = 0.1
UNDECAYED = 0.9
WORTH = 0.034 * math.log2(4 / 3)
"""The last quarter's fall as a share of the loss: more than the slowest of the published laws
still gives there, 3.4 % a doubling (L ~ C^-0.05, Kaplan et al. 2020)."""


@check(
    id="symptom/undertrained",
    kind="symptom",
    severity="minor",
    grounds="threshold",
    refs=("diffusers#4387",),
    fault=Edit(
        script="gpt_plain",
        old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
        new="learning_rate, min_lr, weight_decay, grad_clip = 1e-4, 1e-4, 0.1, 1.0",
    ),
)
def CHECK(trend: LossTrend) -> Iterator[Finding]:
    """The end of the run was cut off, not reached."""
    if trend.quarter is None or trend.lr_left < UNDECAYED or trend.nonfinite:
        return
    unknown = math.isnan(trend.lr_left)  # a log without a learning rate
    whole = trend.start - trend.best
    fell, certain = -trend.quarter.change, -trend.quarter.high
    if whole <= 0:
        return  # it never came below its beginning
    if fell < max(SHARE * whole, WORTH * trend.end) or certain < CERTAIN * whole:
        return
    yield Finding(
        measured={
            "share": fell / whole,
            "fell": fell,
            "updates": trend.updates,
            "end": trend.end,
            **({} if unknown else {"lr_left": trend.lr_left}),
        },
        severity="info" if unknown else None,
        variant="unknown" if unknown else "",
    )


def _trend(fell: float, spread: float, lr_left: float = 1.0) -> LossTrend:
    slope = Slope(-fell, -fell - spread, -fell + spread, -9.0)
    blocks = (4.0, 3.6, 3.2, 2.8, 2.4, 2.0)
    return LossTrend("ce", 400, blocks, 0.05, quarter=slope, lr_left=lr_left)


SICK = (
    # plain SGD at 1e-4: forty epochs from a perplexity of 10,063 to 3,066
    Example(
        (LossTrend("loss", 8847, (9.20, 8.73, 8.05), 0.1, quarter=Slope(-0.22, -0.24, -0.2, -27)),),
        finds=({"fell": 0.22},),
    ),
    Example((_trend(0.5, 0.1),), finds=({"share": 0.25, "fell": 0.5, "updates": 400},)),
    Example((_trend(0.5, 0.1, lr_left=math.nan),), finds=({"share": 0.25},)),
)
HEALTHY = (
    # decayed: it was meant to end; levelling off; too noisy to say
    Example(evidence=(_trend(0.5, 0.1, lr_left=0.1),)),
    Example(evidence=(_trend(0.2, 0.05),)),
    Example(evidence=(_trend(0.5, 0.4),)),
    Example(evidence=(LossTrend("ce", 400, (4.0, 3.0, 2.0, 2.0), 0.05),)),
    # a large share of very little
    Example(
        (LossTrend("ce", 400, (2.0, 1.9, 1.8), 0.05, quarter=Slope(-0.025, -0.03, -0.021, -9.0)),)
    ),
    # blown up at first, and not yet back at its beginning
    Example(
        evidence=(
            LossTrend("ce", 400, (2.0, 6.0, 5.0, 4.0), 0.05, quarter=Slope(-0.5, -0.6, -0.4, -9.0)),
        )
    ),
)
