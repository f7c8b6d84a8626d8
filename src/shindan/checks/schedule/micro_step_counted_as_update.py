"""The steps of a log are micro-steps, not updates.

Known from the log's own two counters. No fault in itself: whoever gives an interval, a warm-up or
a length of a schedule in these steps gives it as many times too short, so it is worth knowing.
"""

from collections.abc import Iterator

from shindan.core.check import Rewrite, check
from shindan.core.evidence.logs import LogProgress
from shindan.core.example import Example
from shindan.core.finding import Finding

LEAST = 10


@check(
    id="schedule/micro-step-counted-as-update",
    kind="risk",
    severity="info",
    grounds="ledger",
    log=Rewrite("controlled", 0, {"step": (16.0, 1920.0)}),
)
def CHECK(progress: LogProgress) -> Iterator[Finding]:
    """Several steps to every update."""
    if progress.per_update > 1 and progress.rows >= LEAST:
        yield Finding(
            {
                "micro_steps": progress.per_update,
                "steps": round(progress.last - progress.first + progress.per_update),
                "updates": progress.updates,
            }
        )


SICK = Example(
    (LogProgress("step", 62, 16880, 17856, 16, per_update=16, updates=62),),
    finds=({"micro_steps": 16, "steps": 992, "updates": 62},),
)
HEALTHY = (
    Example((LogProgress("step", 62, 10, 620, 10, updates=620),)),
    Example((LogProgress("step", 3, 16, 48, 16, per_update=16, updates=3),)),
)
