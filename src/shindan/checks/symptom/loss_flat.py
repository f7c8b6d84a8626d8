"""The loss does not fall, from the first update on.

Equivalence, not absence of proof: the 95 % interval (HAC) of the change over the *whole* run must
lie within NONE of the starting loss, no stretch may have been lower, and the run must have had
AMPLE updates. A run that starts below the unigram line already knows its data (fine-tuning, a
resumed run): flat is no fault there. NONE: the first 100 updates of the patients, and of every
public loss log at hand, fall by 15 to 60 %.

The lowest of twelve means of a log's rows is low by chance, too: two errors of a difference of
two such means are allowed for. A log from scratch, with more than SCRATCH nats, that changed by
less than STILL over AMPLE updates stands still even if it fell for certain: the slowest of the
published laws falls by 3.4 % in each doubling of the run (L ~ C^-0.05, Kaplan et al. 2020), and
AMPLE updates from the beginning are more than six doublings, a fall of 20 %.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import DataLines
from shindan.core.evidence.logs import LogFinite, LogProgress
from shindan.core.evidence.trend import LossTrend, Slope
from shindan.core.example import Example
from shindan.core.finding import Finding

AMPLE = 100
NONE = 0.05
STILL = 0.01
SCRATCH = 4.0
"""Nats below which a training has begun with knowledge: a uniform guess over the characters of a
text is ln 65 = 4.2, over any vocabulary of words more. Fine-tuning may well move little."""
CONSTANT = 10
"""Rows of a log with the very same loss from which that is told, and thrice as many that convict:
a loss shown with two figures may stand still for a few rows."""


@check(
    id="symptom/loss-flat",
    kind="symptom",
    severity="major",
    grounds="threshold",
    refs=("mvts_transformer#46",),
    fault=(
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 6e-9, 6e-10, 0.1, 1.0",
        ),
        Edit(script="resume", old="2, 5e-3\n", new="2, 5e-9\n"),
    ),
    log=Rewrite("nanogpt", 0, {"loss": 10.8249}),
)
def CHECK(
    trend: LossTrend, lines: DataLines | None, progress: LogProgress | None
) -> Iterator[Finding]:
    """Nothing fell, and this window can tell.

    A log that begins in the middle of a run is a window on it: a small fall is all there is.
    """
    if trend.updates < AMPLE or trend.whole is None or trend.nonfinite:
        return
    if progress is not None and (progress.late or not trend.noise):
        return
    limit = NONE * abs(trend.start)
    lower = trend.start - trend.best - (_by_chance(trend) if progress is not None else 0.0)
    moved = max(abs(trend.whole.low), abs(trend.whole.high), lower)
    still = trend.start >= SCRATCH and moved < STILL * trend.start
    if progress is not None and trend.whole.high < 0 and not still:
        return
    if moved >= limit or (lines is not None and trend.start < lines.unigram):
        return
    if lines is not None and lines.leaves(trend.start) < limit:
        return  # this data holds no more to learn than what was called no movement
    yield Finding(
        measured={
            "updates": trend.updates,
            "start": trend.start,
            "end": trend.end,
            "change": trend.whole.change,
            "low": trend.whole.low,
            "high": trend.whole.high,
        },
        severity=None if lines is not None else "minor" if trend.start >= SCRATCH else "info",
    )


def _by_chance(trend: LossTrend) -> float:
    """How far one mean of a stretch may lie below another."""
    rows = trend.points or trend.updates
    return 2 * trend.noise * math.sqrt(2 * len(trend.blocks) / rows)


@CHECK.also
def constant(finite: LogFinite) -> Iterator[Finding]:
    """Every row of the log shows the very same loss."""
    if finite.constant is not None and finite.of >= CONSTANT:
        yield Finding(
            measured={"column": finite.column, "loss": finite.constant, "of": finite.of},
            severity=None if finite.of >= 3 * CONSTANT else "minor",
            variant="constant",
        )


def _trend(updates: int, low: float, high: float, *blocks: float) -> LossTrend:
    middle = (low + high) / 2
    return LossTrend("ce", updates, blocks, 0.05, whole=Slope(middle, low, high, 0.3))


_LINES = DataLines(
    classes=65, uniform=4.17, uniform_used=4.17, unigram=3.3, bigram=2.5, tokens=9999
)
_LOG = LogProgress("step", 400, 1, 400, 1)
SICK = (
    Example(
        evidence=(_trend(400, -0.02, 0.03, 4.18, 4.17, 4.18), _LINES),
        finds=({"updates": 400, "start": 4.18, "end": 4.18, "low": -0.02},),
    ),
    Example((LogFinite(of=50, constant=3.46875, column="loss"),), finds=({"loss": 3.46875},)),
    # a log whose means scatter; one that fell for certain, by next to nothing
    Example((_trend(400, -0.09, 0.03, 2.17, 2.06, 2.11), _LOG), finds=({"start": 2.17},)),
    Example((_trend(400, -0.07, -0.01, 7.66, 7.62, 7.62), _LOG), finds=({"start": 7.66},)),
)
HEALTHY = (
    Example((_trend(400, -0.14, -0.01, 7.66, 7.60, 7.56), _LOG)),
    Example((_trend(400, -0.09, 0.03, 2.17, 2.03, 2.11), _LOG)),
    # random tokens: at its floor from the start
    Example(
        evidence=(
            _trend(300, -0.01, 0.01, 4.2, 4.19, 4.18),
            DataLines(65, 4.17, 4.17, 4.17, None, 9999),
        )
    ),
    # too short to say; cannot decide; fell earlier; at its floor already (fine-tuning)
    Example(evidence=(_trend(60, -0.02, 0.03, 4.18, 4.17, 4.18), _LINES)),
    Example(evidence=(_trend(400, -0.6, 0.5, 4.18, 4.17, 4.18), _LINES)),
    Example(evidence=(_trend(400, -0.02, 0.03, 4.18, 2.2, 2.2), _LINES)),
    Example(evidence=(_trend(400, -0.02, 0.03, 1.9, 1.9, 1.9), _LINES)),
    Example(evidence=(LossTrend("ce", 400, (4.2, 2.0, 1.8), 0.05), _LINES)),
    # a log that begins in the middle of its run
    Example(
        evidence=(
            _trend(400, -0.02, 0.03, 4.18, 4.17, 4.18),
            LogProgress("step", 400, 5000, 5399, 1),
        )
    ),
    Example((LogFinite(of=8, constant=3.46875, column="loss"),)),
    Example((LogFinite(of=50, column="loss"),)),
)
