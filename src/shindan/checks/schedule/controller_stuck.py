"""An adaptive learning-rate controller that sits in one state, whatever it is shown.

Judged by its own rule (``logs/norms.py`` knows it): where nearly every window of its input
exceeds its emergency threshold, the emergency is the ordinary, and the controller cannot leave
the state it sends to. A fifth of the windows below would let it move now and then.
"""

from collections.abc import Iterator

from shindan.core.check import Rewrite, check
from shindan.core.evidence.logs import LogController
from shindan.core.example import Example
from shindan.core.finding import Finding

PINNED = 0.9
ALWAYS = 0.95
WINDOWS = 20
FACTOR = 2.0
"""Change of the learning rate from which it matters where the controller sits."""


@check(
    id="schedule/controller-stuck",
    kind="cause",
    severity="major",
    grounds="ledger",
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/undertrained"),
    log=Rewrite("controlled", 0, {"tsp_city": "J_converge"}),
)
def CHECK(controller: LogController) -> Iterator[Finding]:
    """One state nearly all the time, and its inputs beyond the emergency threshold all the time."""
    if controller.windows < WINDOWS or controller.share < PINNED:
        return
    if controller.beyond < ALWAYS * controller.windows:
        return
    yield Finding(
        measured={
            "state": controller.state,
            "share": controller.share,
            "changes": controller.changes,
            "window": controller.window,
            "windows": controller.windows,
            "count": controller.beyond,
            "limit": controller.limit,
            "lowest": controller.lowest,
            "middle": controller.middle,
        },
        where=controller.where,
        severity=None if _matters(controller.factor) else "minor",
    )


def _matters(factor: float | None) -> bool:
    return factor is not None and not 1 / FACTOR < factor < FACTOR


def _log(share: float, beyond: int, windows: int = 53, factor: float | None = 0.1) -> LogController:
    return LogController(
        "tsp_city", 62, "J_converge", share, 2, 1, 10, windows, beyond, 0.25, 0.283, 0.51, factor
    )


SICK = (
    Example((_log(1.0, 53),), finds=({"count": 53, "windows": 53, "lowest": 0.283},)),
    Example((_log(1.0, 53, factor=1.0),), finds=({"count": 53},)),
)
HEALTHY = (
    # it moves; it rests in one state because its inputs are calm; too short to say
    Example((_log(0.5, 53),)),
    Example((_log(1.0, 4),)),
    Example((_log(1.0, 9, windows=9),)),
)
