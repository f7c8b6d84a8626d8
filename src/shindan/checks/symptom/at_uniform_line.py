"""The loss stays at ln V: nothing has been learnt, not even which tokens are common.

Only when the data offer more (their unigram entropy lies clearly lower: not random tokens), when
the loss no longer falls, and after 40 updates; below 100 updates it is minor. The tolerance is
2 % of the line, and never more than 0.4 of the way to the unigram line.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.plateau import plateau, warming_up

UPDATES = 40
SURE = 100
GAP = 0.08
TOLERANCE = 0.02


@check(
    id="symptom/at-uniform-line",
    kind="symptom",
    severity="major",
    grounds="relation",
    fault=(
        Edit(
            script="gpt_plain",
            old='        group["lr"] = lr',
            new='        group["lr"] = lr * 1e-6',
        ),
        Edit(
            script="gpt_mingpt",
            old="                loss.backward()",
            new="                (loss * 0).backward()",
        ),
    ),
)
def CHECK(curve: Curve, lines: DataLines) -> Iterator[Finding]:
    """The last quarter of the run lies on the uniform line and is flat."""
    end = plateau(curve)
    if end is None or not end.flat or warming_up(curve) or curve.total_updates < UPDATES:
        return
    for line in (lines.uniform, lines.uniform_used):
        gap = line - lines.unigram
        if gap > GAP and abs(end.level - line) <= min(TOLERANCE * line, 0.4 * gap):
            yield Finding(
                {
                    "loss": round(end.level, 4),
                    "line": round(line, 4),
                    "unigram": round(lines.unigram, 4),
                    "updates": curve.total_updates,
                },
                severity=None if curve.total_updates >= SURE else "minor",
            )
            return


def _run(losses: list[float], updates: int) -> Curve:
    return Curve(
        tuple(MicroStep(i, i, v, ce=v) for i, v in enumerate(losses)), (), total_updates=updates
    )


_LINES = DataLines(24, 3.178, 3.178, 3.02, 1.93, 60000)
_FLAT = [3.18 + 0.01 * (-1) ** i for i in range(120)]

SICK = (
    Example(evidence=(_run(_FLAT, 120), _LINES), finds=({"loss": 3.18, "updates": 120},)),
    Example(evidence=(_run(_FLAT[:48], 48), _LINES), finds=({"updates": 48},)),
)
HEALTHY = (
    # short, and falling
    Example(evidence=(_run([3.2 - 0.002 * i for i in range(60)], 60), _LINES)),
    # random tokens: there is nothing to learn
    Example(evidence=(_run(_FLAT, 120), DataLines(24, 3.178, 3.178, 3.17, 3.16, 60000))),
    # too short to say
    Example(evidence=(_run(_FLAT[:30], 30), _LINES)),
    # at the unigram line
    Example(evidence=(_run([3.02] * 120, 120), _LINES)),
)
