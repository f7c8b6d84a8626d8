"""The learning rate is so high that the steps overshoot."""

import statistics
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, DataLines, MicroStep, Update
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.steplengths import at_height, losses, overshoots, settled, tenths

SHARE = 0.5
LEAST_UPDATES = 50
"""Before that a loss near its start proves nothing."""
STUCK = 0.75
"""Part of the unigram line (else of the first loss) above which the run has hardly learned."""
ROSE = 1.1
ABOVE = 1.05
"""Median of a tenth of the run over its first loss: more than batches differ by."""
UNMOVED = 0.95
"""Part of the unigram line above which nothing of the context was learned."""


@check(
    id="optimizer/lr-too-high",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("transformers#735", "google-research/albert#29", "bert#649"),
    explains=(
        "symptom/loss-flat",
        "symptom/loss-diverging",
        "symptom/loss-spikes",
        "symptom/slow-progress",
        "symptom/at-unigram-line",
        "symptom/at-uniform-line",
        "symptom/context-ignored",
        "symptom/nan",
    ),
    fault=(
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 1.0, 1.0, 0.1, 1.0",
        ),
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 0.3, 0.03, 0.1, 1.0",
        ),
    ),
)
def CHECK(test: StepTest, curve: Curve, lines: DataLines | None) -> Iterator[Finding]:
    """Half of the looks or more overshoot on the step's own batch, and the loss shows the harm.

    The same update, scaled to a tenth, lowers the loss; whole it gains less than twice as much.
    One look is enough where the whole step raised its own batch's loss, the run's loss rose with
    it, and nothing but token frequencies was learned ever after: a broken model overshoots no more.
    """
    seen = settled(test.points, curve)
    high = [p for p in at_height(seen, curve) if overshoots(p)]
    looks = at_height(seen, curve) if high else seen
    wasted = [p for p in looks if overshoots(p)]
    parts = tenths(curve)
    if curve.total_updates < LEAST_UPDATES or not parts:
        return
    broken = [p for p in seen if overshoots(p) and p.whole > p.start]
    if broken and lines is not None and _broken(parts, losses(curve)[0], lines.unigram):
        looks = wasted = broken
    if not wasted or len(wasted) < SHARE * len(looks):
        return
    line = lines.unigram if lines is not None else losses(curve)[0]
    stuck = parts[-1] > STUCK * line
    rose = parts[-1] > ROSE * min(parts)
    if stuck or rose:
        yield Finding(
            measured={
                "looks": len(looks),
                "wasted": len(wasted),
                "lr": max(p.lr for p in wasted),
                "tenth": statistics.median(p.start - p.tenth for p in wasted),
                "whole": statistics.median(p.start - p.whole for p in wasted),
                "final": parts[-1],
                "line": line,
            }
        )


def _broken(parts: list[float], first: float, unigram: float) -> bool:
    """Up from its start, and never below the line of token frequencies again."""
    return max(parts) > ABOVE * first and parts[-1] > UNMOVED * unigram


def _curve(first: float, last: float) -> Curve:
    micro = tuple(MicroStep(i, i, first + (last - first) * i / 99) for i in range(100))
    return Curve(micro, tuple(Update(i, 0, (1e-2,), 1) for i in range(100)), (), 100, 100)


_OVER = tuple(StepPoint(u, 1e-2, 3.0, 2.96, 2.99, 9.0, 90.0) for u in (8, 20, 40))
_GOOD = tuple(StepPoint(u, 1e-2, 3.0, 2.99, 2.92, 3.1, 9.0) for u in (8, 20, 40))

_BROKE = StepPoint(2, 4e-3, 3.11, 3.10, 4.51, 9.0, 90.0)
_DEAD = tuple(StepPoint(u, 1e-2, 3.1, 3.09, 3.07, 3.1, 9.0) for u in (8, 20, 40))
_LINES = DataLines(24, 3.18, 3.18, 3.05, 1.9, 9000)


def _jumped(last: float) -> Curve:
    values = [3.1, 3.2, *[3.6] * 10, *[last] * 88]
    micro = tuple(MicroStep(i, i, v) for i, v in enumerate(values))
    return Curve(micro, tuple(Update(i, 0, (1e-2,), 1) for i in range(100)), (), 100, 100)


SICK = (
    Example(
        evidence=(StepTest(_OVER), _curve(3.2, 2.9)),
        finds=({"looks": 3, "wasted": 3, "lr": 1e-2},),
    ),
    Example(
        evidence=(StepTest((_BROKE, *_DEAD)), _jumped(3.04), _LINES),
        finds=({"looks": 1, "wasted": 1, "lr": 4e-3},),
    ),
)
HEALTHY = (
    Example(evidence=(StepTest(_GOOD), _curve(3.2, 2.9))),
    # at the edge, but it learns
    Example(evidence=(StepTest(_OVER), _curve(3.2, 1.2))),
    # it broke and mended
    Example(evidence=(StepTest((_BROKE, *_DEAD)), _jumped(2.2), _LINES)),
    # one step too long, and a loss that never rose
    Example(evidence=(StepTest((_BROKE, *_DEAD)), _curve(3.2, 3.04), _LINES)),
    # one look of four
    Example(evidence=(StepTest((*_OVER[:1], *_GOOD)), _curve(3.2, 2.9))),
)
