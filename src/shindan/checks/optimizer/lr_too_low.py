"""The learning rate is so low that hardly anything is learned."""

import statistics
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.clipping import Clipping, ClipRow
from shindan.core.evidence.curve import Curve, DataLines, MicroStep, Update
from shindan.core.evidence.nonfinite import Event, FirstNonFinite
from shindan.core.evidence.parameters import ParamLedger, ParamRow
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding
from shindan.core.steplengths import at_height, tenths, too_short

SHARE = 0.75
LEAST_UPDATES = 50
FALL = 0.15
"""Relative fall of the loss over the run below which it has hardly learned."""
CLIPPED = 10.0
"""Median norm over limit from which clipping, not the LR, makes the steps short."""


@check(
    id="optimizer/lr-too-low",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("transformers#735", "bert#649"),
    explains=(
        "symptom/loss-flat",
        "symptom/slow-progress",
        "symptom/undertrained",
        "symptom/at-uniform-line",
        "symptom/at-unigram-line",
        "symptom/context-ignored",
    ),
    fault=(
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 6e-6, 6e-7, 0.1, 1.0",
        ),
        Edit(script="bert_mlm", old="        lr=5e-3,\n", new="        lr=1e-6,\n"),
    ),
)
def CHECK(
    test: StepTest,
    curve: Curve,
    ledger: ParamLedger | None,
    clipping: Clipping | None,
    lines: DataLines | None,
    first: FirstNonFinite | None,
) -> Iterator[Finding]:
    """At high LR, ten and a hundred times the step still gain in proportion; the loss stays put.

    Loaded weights (fine-tuning moves little), a warm-up that has not ended, steps that clipping
    shortens, data without so much to learn, and runs that a NaN or inf has harmed are left alone.
    """
    looks = at_height(test.points, curve)
    short = [p for p in looks if too_short(p)]
    parts = tenths(curve)
    if not short or len(short) < SHARE * len(looks) or curve.total_updates < LEAST_UPDATES:
        return
    if _still_rising(curve) or _loaded(ledger) or _clipped(clipping):
        return
    if _at_floor(lines, parts[0]) or _harmed(first):
        return
    fall = 1 - parts[-1] / parts[0]
    if fall <= FALL:
        yield Finding(
            measured={
                "looks": len(looks),
                "lr": max(p.lr for p in short),
                "whole": statistics.median(p.start - p.whole for p in short),
                "ten": statistics.median(p.start - p.ten for p in short),
                "hundred": statistics.median(p.start - p.hundred for p in short),
                "fall": fall,
            }
        )


def _at_floor(lines: DataLines | None, start: float) -> bool:
    """Where pairs of tokens are unknown (a masked model) their frequencies are no floor."""
    if lines is None or lines.bigram is None:
        return False
    return lines.leaves(start) < FALL * start


def _still_rising(curve: Curve) -> bool:
    rates = [u.lr[0] for u in curve.updates if u.lr]
    return rates[-1] == max(rates) > rates[len(rates) // 2]


def _loaded(ledger: ParamLedger | None) -> bool:
    return ledger is not None and any(r.loaded for r in ledger.rows)


def _clipped(clipping: Clipping | None) -> bool:
    rows = clipping.rows if clipping is not None else ()
    return any(r.active > 0.5 and r.factor >= CLIPPED for r in rows)


def _harmed(first: FirstNonFinite | None) -> bool:
    """What a GradScaler skipped is no harm."""
    return first is not None and first.event is not None and first.event.harm != "none"


def _curve(first: float, last: float) -> Curve:
    micro = tuple(MicroStep(i, i, first + (last - first) * i / 99) for i in range(100))
    return Curve(micro, tuple(Update(i, 0, (1e-6,), 1) for i in range(100)), (), 100, 100)


_SHORT = tuple(StepPoint(u, 1e-6, 3.2, 3.19992, 3.1992, 3.192, 3.12) for u in (8, 20, 40))
_GOOD = tuple(StepPoint(u, 1e-6, 3.2, 3.19, 3.11, 3.3, 9.0) for u in (8, 20, 40))
_TINY = tuple(StepPoint(u, 1e-6, 8.294864, 8.294864, 8.294864, 8.294863, 8.294858) for u in (2, 8))
_STILL = tuple(StepPoint(u, 1e-3, 8.294864, *[8.294864] * 4) for u in (2, 8))
_LOADED = ParamRow("a", "GPT", "Linear", (8, 8), "float32", True, True, 0, loaded=True)

SICK = (
    # too short to show in float32
    Example(evidence=(StepTest(_TINY), _curve(8.3, 8.29)), finds=({"looks": 2},)),
    Example(evidence=(StepTest(_SHORT), _curve(3.2, 3.1)), finds=({"looks": 3, "lr": 1e-6},)),
    # a masked model: the frequencies of the tokens are not all that it could learn
    Example(
        evidence=(StepTest(_SHORT), _curve(2.8, 2.79), DataLines(16, 2.77, 2.77, 2.58, None, 9999)),
        finds=({"looks": 3},),
    ),
)
HEALTHY = (
    Example(evidence=(StepTest(_GOOD), _curve(3.2, 3.1))),
    # no gradient at all: another matter
    Example(evidence=(StepTest(_STILL), _curve(8.3, 8.29))),
    # small steps that get there
    Example(evidence=(StepTest(_SHORT), _curve(3.2, 1.5))),
    # fine-tuning
    Example(evidence=(StepTest(_SHORT), _curve(1.2, 1.1), ParamLedger((_LOADED,), (), 5, 99))),
    # random tokens: the loss starts where it must end
    Example(
        evidence=(StepTest(_SHORT), _curve(3.2, 3.19), DataLines(24, 3.2, 3.2, 3.18, 3.1, 9999))
    ),
    # not a number stopped it
    Example(evidence=(StepTest(_SHORT), _curve(3.2, 3.1), FirstNonFinite(Event(0, 1, "gradient")))),
    # clipping makes the steps short
    Example(
        evidence=(
            StepTest(_SHORT),
            _curve(3.2, 3.1),
            Clipping((ClipRow(NOWHERE, 0.01, False, 99, 0, 1.0, 1.0, 120.0, 1.2),)),
        )
    ),
)
