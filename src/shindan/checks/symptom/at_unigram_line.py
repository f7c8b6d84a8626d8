"""The loss stays at the entropy of the target unigrams: no input is used at all.

Only where context would help (bigram line at least 0.2 nats lower, or predictions that are the
same everywhere: Jensen-Shannon divergence below 0.05 nats; patients that learn have 0.28 to 1.2),
and when the loss no longer falls. Runs pass this line on their way, so it is major only after 200
updates, with more than 1024 classes 2000 (BERT from scratch sits near it for long).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.evidence.logs import LogProgress
from shindan.core.evidence.phases import AtLine, Course, Phases
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.plateau import plateau, warming_up

UPDATES = 60
LARGE = 1024
LONG = 2000
GAP = 0.2
CLEAR = 0.5
"""Nats between the lines that convict without a look at the predictions."""
SAME = 0.05
TOLERANCE = 0.05


@check(
    id="symptom/at-unigram-line",
    kind="symptom",
    severity="major",
    grounds="relation",
    fault=(
        Edit(
            script="gpt_plain",
            old="x = self.drop(self.wte(idx) + self.wpe(pos))",
            new="x = self.drop(self.wte(idx * 0) + self.wpe(pos * 0))",
        ),
    ),
)
def CHECK(curve: Curve, lines: DataLines, use: ContextUse | None) -> Iterator[Finding]:
    """The last quarter of the run lies on the unigram line, is flat, and answers are the same.

    Masked objectives rest there for long before they learn (BERT: thousands of updates), and with
    a large vocabulary so do others: short runs of them are told as minor.
    """
    end = plateau(curve)
    large = lines.classes > LARGE
    if (
        end is None
        or not end.flat
        or warming_up(curve)
        or curve.total_updates < (5 if large else 1) * UPDATES
    ):
        return
    gain = lines.unigram - lines.bigram if lines.bigram is not None else None
    if use is None:
        told = gain is not None and gain >= CLEAR
    else:
        told = use.spread < SAME and (gain is None or gain >= GAP)
    if not told:
        return
    if abs(end.level - lines.unigram) > TOLERANCE or lines.uniform_used - lines.unigram < TOLERANCE:
        return
    sure = curve.total_updates >= (LONG if large or lines.bigram is None else 200)
    yield Finding(
        {
            "loss": round(end.level, 4),
            "unigram": round(lines.unigram, 4),
            "spread": round(use.spread, 4) if use else "unknown",
            "updates": curve.total_updates,
        },
        severity=None if sure else "minor",
    )


@CHECK.also
def from_log(course: Course, progress: LogProgress) -> Iterator[Finding]:
    """A log whose training loss ends in a plateau at the unigram entropy that a person gave."""
    for stand in course.stands:
        trained = not course.series or stand.name == course.series[0].name
        mine = stand.line == "unigram" and trained
        if mine and stand.ends and progress.updates >= 5 * UPDATES:
            yield Finding(
                {
                    "loss": round(stand.level, 4),
                    "unigram": round(stand.at, 4),
                    "since": stand.first,
                    "updates": progress.updates,
                },
                severity=None if progress.updates >= LONG else "minor",
                variant="log",
            )


def _run(level: float, updates: int = 250, fall: float = 0.0) -> Curve:
    micro = tuple(
        MicroStep(i, i, level - fall * i, ce=level - fall * i + 0.02 * (-1) ** i)
        for i in range(updates)
    )
    return Curve(micro, (), total_updates=updates)


def _use(spread: float) -> ContextUse:
    return ContextUse(250, "next", 24, 0.01, spread, 0.05, 0.0, 3.05)


_LINES = DataLines(24, 3.178, 3.178, 3.05, 1.93, 60000)


def _log(updates: int, ends: bool = True) -> tuple[Course, LogProgress]:
    stand = AtLine("loss", "step", "unigram", 4.2, 4.206, 300, updates, 99, ends=ends)
    progress = LogProgress("step", updates, 1, updates, 1, updates=updates)
    return Course((Phases("loss", "step", updates, ()),), (stand,)), progress


SICK = (
    Example(evidence=_log(4000), finds=({"loss": 4.206, "unigram": 4.2, "since": 300},)),
    Example(evidence=_log(500), finds=({"updates": 500},)),
    Example(evidence=(_run(3.05), _LINES, _use(0.001)), finds=({"loss": 3.05},)),
    Example(evidence=(_run(3.05, 100), _LINES, _use(0.001)), finds=({"updates": 100},)),
)
HEALTHY = (
    # left it (report 4, at epoch 17); too short
    Example(evidence=_log(5000, ends=False)),
    Example(evidence=_log(100)),
    # on its way
    Example(evidence=(_run(3.4, 100, 0.004), _LINES, _use(0.02))),
    # independent draws: no context could help
    Example(evidence=(_run(2.5), DataLines(24, 3.178, 3.178, 2.5, 2.49, 60000), _use(0.0))),
    # at that height by chance, with different answers
    Example(evidence=(_run(3.05), _LINES, _use(0.8))),
    Example(evidence=(_run(3.05, 30), _LINES, _use(0.001))),
)
