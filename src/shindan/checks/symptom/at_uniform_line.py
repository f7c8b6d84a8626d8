"""The loss stays at ln V: nothing has been learnt, not even which tokens are common.

Only when the data offer more (their unigram entropy lies clearly lower: not random tokens), when
the loss no longer falls, and after 40 updates; below 100 updates it is minor. The tolerance is
2 % of the line, and never more than 0.4 of the way to the unigram line.

A log may also be of a classifier: a loss that came to rest at ln k for a few classes, and was never
below (``logs/chance.py``), is told as what it equals. A loss that knew, rose to ln of a usual
vocabulary and stays there to four figures has no other explanation than an output without input.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.beside import AtChance, RisenToLine
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.evidence.logs import LogProgress, LogRates
from shindan.core.evidence.phases import AtLine, Course, Phases
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity
from shindan.core.plateau import plateau, warming_up

UPDATES = 40
SURE = 100
GAP = 0.08
TOLERANCE = 0.02
LATE_PEAK = 0.75
"""A learning rate that peaks this late was still warming up (see core/plateau.py)."""


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
def from_log(course: Course, progress: LogProgress, rates: LogRates | None) -> Iterator[Finding]:
    """A log whose training loss ends in a plateau at ln V.

    Where V is only guessed among well-known sizes it may be chance: worth knowing.
    """
    if progress.updates < UPDATES or (rates is not None and rates.peak_at > LATE_PEAK):
        return
    for stand in course.stands:
        trained = not course.series or stand.name == course.series[0].name
        if stand.line == "uniform" and stand.ends and trained:
            yield Finding(
                {
                    "loss": round(stand.level, 4),
                    "line": round(stand.at, 4),
                    "vocabulary": stand.vocabularies,
                    "updates": progress.updates,
                },
                severity=_of_log(stand, progress),
                variant="log",
            )


@CHECK.also
def of_classes(rest: AtChance, progress: LogProgress) -> Iterator[Finding]:
    """A log whose loss came to rest at what guessing among a few classes gives."""
    if progress.updates >= SURE:
        yield Finding(
            {
                "loss": rest.level,
                "error": rest.error,
                "classes": rest.classes,
                "line": rest.at,
                "start": rest.first,
                "chance": rest.chance,
                "column": rest.name,
            },
            severity="minor",
            variant="classes",
        )


@CHECK.also
def collapsed(rest: RisenToLine) -> Iterator[Finding]:
    """A log whose loss rose from less than half of it to ln of a usual vocabulary, and stays."""
    yield Finding(
        {
            "column": rest.name,
            "start": rest.first,
            "loss": rest.level,
            "line": rest.at,
            "vocabulary": rest.vocabularies,
            "rows": rest.rows,
        },
        variant="risen",
    )


def _of_log(stand: AtLine, progress: LogProgress) -> Severity:
    if not stand.given:
        return "info"
    return "major" if progress.updates >= SURE else "minor"


def _run(losses: list[float], updates: int) -> Curve:
    return Curve(
        tuple(MicroStep(i, i, v, ce=v) for i, v in enumerate(losses)), (), total_updates=updates
    )


_LINES = DataLines(24, 3.178, 3.178, 3.02, 1.93, 60000)
_FLAT = [3.18 + 0.01 * (-1) ** i for i in range(120)]


def _log(updates: int, ends: bool = True, given: bool = True) -> tuple[Course, LogProgress]:
    stand = AtLine("loss", "step", "uniform", 10.373, 10.37, 1, updates, updates, (32000,), given,
                   begins=True, ends=ends)  # fmt: skip
    progress = LogProgress("step", updates, 1, updates, 1, updates=updates)
    return Course((Phases("loss", "step", updates, ()),), (stand,)), progress


_CLASSES = AtChance("loss", 3, 1.0986, 1.1067, 0.0027, 1.136, 50, 0.042)
SICK = (
    Example((_CLASSES, _log(500)[1]), finds=({"classes": 3, "loss": 1.1067},)),
    Example(
        (RisenToLine("loss", (32000,), 10.3735, 10.3735, 1.637, 6),),
        finds=({"vocabulary": (32000,)},),
    ),
    Example(evidence=_log(400), finds=({"loss": 10.37, "vocabulary": (32000,)},)),
    Example(evidence=_log(50), finds=({"updates": 50},)),
    Example(evidence=(_run(_FLAT, 120), _LINES), finds=({"loss": 3.18, "updates": 120},)),
    Example(evidence=(_run(_FLAT[:48], 48), _LINES), finds=({"updates": 48},)),
)
HEALTHY = (
    Example((_CLASSES, _log(50)[1])),
    # left the line; too short; still warming up
    Example(evidence=_log(400, ends=False)),
    Example(evidence=_log(20)),
    Example(evidence=(*_log(400), LogRates("lr", 400, 0.0, 1e-4, 1e-4, 1.0))),
    # short, and falling
    Example(evidence=(_run([3.2 - 0.002 * i for i in range(60)], 60), _LINES)),
    # random tokens: there is nothing to learn
    Example(evidence=(_run(_FLAT, 120), DataLines(24, 3.178, 3.178, 3.17, 3.16, 60000))),
    # too short to say
    Example(evidence=(_run(_FLAT[:30], 30), _LINES)),
    # at the unigram line
    Example(evidence=(_run([3.02] * 120, 120), _LINES)),
)
