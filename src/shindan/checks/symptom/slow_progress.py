"""The loss falls, but far slower than the run's own updates and gradients would allow.

An intervention says what they allow: the update just made, ten and a hundred times as long, on
its own batch. While the gain grows in proportion that far (``too_short``), every update could
have done the work of many. Healthy runs at their learning rate measure 0.6 to 7 times the gain at
ten times the length, and a loss at a hundred times; too short are those from 7 upwards whose
gain still grows at a hundred.

That alone is no slowness: a small constant rate may get there in a long run, whose first steps
are short, too. So the data's own lines are asked how far the run came: less than half of the way
from where it started to what the n-grams of this data give. HALF is no tuned number: what is left
is more than what was done.
"""

import statistics
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, DataLines, MicroStep, Update
from shindan.core.evidence.parameters import ParamLedger, ParamRow
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.plateau import warming_up
from shindan.core.steplengths import at_height, tenths, too_short

SHARE = 0.75
LEAST_UPDATES = 50
AMPLE = 200
"""Updates below which a window shows little more than a start: worth knowing, not more."""
HALF = 0.5
ROOM = 0.15
"""Way to the lines, as a share of the starting loss, below which there is little to learn."""
FALLS = 0.01
"""Relative fall without which the loss is flat, which another symptom says."""


@check(
    id="symptom/slow-progress",
    kind="symptom",
    severity="minor",
    grounds="intervention",
    refs=("transformers#735",),
    fault=(
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 1e-4, 1e-5, 0.1, 1.0",
        ),
        Edit(script="left_padded", old="lr=5e-3", new="lr=1e-4"),
    ),
)
def CHECK(
    test: StepTest, curve: Curve, lines: DataLines, ledger: ParamLedger | None
) -> Iterator[Finding]:
    """Steps too short to the end of what was looked at, and less than half of the way done.

    Loaded weights (fine-tuning moves little) and a warm-up that has not ended are left alone.
    """
    looks = at_height(test.points, curve)
    short = [p for p in looks if too_short(p)]
    parts = tenths(curve)
    if not looks or not parts or curve.total_updates < LEAST_UPDATES or not too_short(looks[-1]):
        return
    if len(short) < SHARE * len(looks) or warming_up(curve) or _loaded(ledger):
        return
    way, done = lines.leaves(parts[0]), parts[0] - parts[-1]
    if way < ROOM * parts[0] or not FALLS * parts[0] < done < HALF * way:
        return
    yield Finding(
        measured={
            "looks": len(looks),
            "lr": max(p.lr for p in short),
            "whole": statistics.median(p.start - p.whole for p in short),
            "ten": statistics.median(p.start - p.ten for p in short),
            "hundred": statistics.median(p.start - p.hundred for p in short),
            "updates": curve.total_updates,
            "done": done,
            "way": way,
        },
        severity=None if curve.total_updates >= AMPLE else "info",
    )


def _loaded(ledger: ParamLedger | None) -> bool:
    return ledger is not None and any(r.loaded for r in ledger.rows)


def _curve(first: float, last: float, updates: int = 400, rising: bool = False) -> Curve:
    micro = tuple(MicroStep(i, i, first + (last - first) * i / 399) for i in range(400))
    rates = (1e-6 * (i + 1) if rising else 1e-4 for i in range(400))
    rows = tuple(Update(i, 0, (r,), 1) for i, r in enumerate(rates))
    return Curve(micro, rows, (), updates, updates)


def _looks(*gains: float) -> StepTest:
    """Looks at updates 8, 20, ... whose tenfold step gains so many times the whole one."""
    points = (
        StepPoint(8 * 2**i, 1e-4, 3.0, 2.999, 2.99, 3 - 0.01 * g, 3 - 0.05 * g if g > 7 else 5.0)
        for i, g in enumerate(gains)
    )
    return StepTest(tuple(points))


_LINES = DataLines(65, 4.17, 4.17, 3.3, 2.2, 99999, 1.6)
_LOADED = ParamRow("a", "GPT", "Linear", (8, 8), "float32", True, True, 0, loaded=True)

SICK = (
    Example(
        evidence=(_looks(9.0, 9.2, 8.4), _curve(4.1, 3.2), _LINES),
        finds=({"looks": 3, "lr": 1e-4, "updates": 400},),
    ),
)
HEALTHY = (
    # a small rate that gets there; short at first, no more later
    Example(evidence=(_looks(9.0, 9.2, 8.4), _curve(4.1, 1.9), _LINES)),
    Example(evidence=(_looks(9.0, 9.2, 8.4, 3.0), _curve(4.1, 3.2), _LINES)),
    # slow for another reason: longer steps would gain nothing
    Example(evidence=(_looks(1.2, -4.0, -9.0), _curve(4.1, 3.2), _LINES)),
    # nothing to learn; hardly anything left (fine-tuning); loaded; still warming up
    Example(
        evidence=(
            _looks(9.0, 9.2, 8.4),
            _curve(4.2, 4.1),
            DataLines(65, 4.17, 4.17, 4.17, 4.17, 99999),
        )
    ),
    Example(evidence=(_looks(9.0, 9.2, 8.4), _curve(1.7, 1.65), _LINES)),
    Example(
        evidence=(
            _looks(9.0, 9.2),
            _curve(4.1, 3.2),
            _LINES,
            ParamLedger((_LOADED,), (), 5, 400),
        )
    ),
    Example(evidence=(_looks(9.0, 9.2), _curve(4.1, 3.2, rising=True), _LINES)),
    # too short to say; flat (another symptom)
    Example(evidence=(_looks(9.0), _curve(4.1, 3.9, updates=40), _LINES)),
    Example(evidence=(_looks(9.0, 9.2, 8.4), _curve(4.1, 4.09), _LINES)),
)
