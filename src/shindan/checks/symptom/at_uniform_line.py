"""The loss stays at ln V: nothing has been learnt, not even which tokens are common.

Only when the data offer more (their unigram entropy lies clearly lower: not random tokens), when
the loss no longer falls, and after 40 updates; below 100 updates it is minor. The tolerance is
2 % of the line, and never more than 0.4 of the way to the unigram line.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.evidence.logs import LogProgress
from shindan.core.evidence.phases import AtLine, Course
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity
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
    log=Rewrite("controlled", 0, {"loss": (10.38, 10.375)}),
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


@CHECK.also
def from_log(course: Course, progress: LogProgress) -> Iterator[Finding]:
    """The last plateau of a log is at ln V: of its own vocabulary, or of a well-known one.

    A well-known size is tried only where the log names none and never left the line; a loss may
    stand there by chance, so that is only worth knowing.
    """
    ends = [s for s in course.stands if s.line == "uniform" and s.ends]
    for stand in ends[:1]:
        yield Finding(
            {
                "loss": round(stand.level, 4),
                "line": round(stand.at, 4),
                "classes": stand.vocabularies[0],
                "updates": progress.updates,
            },
            severity=_of_log(stand, progress),
            variant="log",
        )


def _of_log(stand: AtLine, progress: LogProgress) -> Severity:
    if not stand.given:
        return "info"
    return "major" if progress.updates >= SURE else "minor"


def _run(losses: list[float], updates: int) -> Curve:
    return Curve(
        tuple(MicroStep(i, i, v, ce=v) for i, v in enumerate(losses)), (), total_updates=updates
    )


def _log(updates: int, ends: bool = True, given: bool = True) -> tuple[Course, LogProgress]:
    stand = AtLine(
        "loss", "step", "uniform", 10.373, 10.376, 1.0, 900.0, 90, (32000,), given, True, ends
    )
    return Course((), (stand,)), LogProgress("step", 90, 1, 900, 10, updates=updates)


_LINES = DataLines(24, 3.178, 3.178, 3.02, 1.93, 60000)
_FLAT = [3.18 + 0.01 * (-1) ** i for i in range(120)]

SICK = (
    Example(evidence=(_run(_FLAT, 120), _LINES), finds=({"loss": 3.18, "updates": 120},)),
    Example(evidence=(_run(_FLAT[:48], 48), _LINES), finds=({"updates": 48},)),
    Example(_log(900), finds=({"loss": 10.376, "classes": 32000},)),
    Example(_log(900, given=False), finds=({"line": 10.373},)),
)
HEALTHY = (
    # short, and falling
    Example(evidence=(_run([3.2 - 0.002 * i for i in range(60)], 60), _LINES)),
    # random tokens: there is nothing to learn
    Example(evidence=(_run(_FLAT, 120), DataLines(24, 3.178, 3.178, 3.17, 3.16, 60000))),
    # too short to say
    Example(evidence=(_run(_FLAT[:30], 30), _LINES)),
    # a log that left the line, and one that stands at none
    Example(_log(900, ends=False)),
    Example((Course(()), LogProgress("step", 90, 1, 900, 10, updates=900))),
    # at the unigram line
    Example(evidence=(_run([3.02] * 120, 120), _LINES)),
)
