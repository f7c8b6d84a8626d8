"""A resumed run whose learning-rate schedule starts again."""

from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.checkpoints import Resumption, Resumptions
from shindan.core.evidence.logs import LogRates, RateAtResume
from shindan.core.example import Example
from shindan.core.finding import Finding, Where
from shindan.core.schedules import near

STARTED = 1
"""Position of a scheduler that has just been built (it steps once when built)."""
LATE = 3
JUMP = 1.3
"""A schedule moves by less between neighbouring updates, unless it jumps by design."""


@check(
    id="checkpoint/schedule-reset",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("the_well#77", "the_well#63", "NAS-Bench-201#19", "allennlp#1650", "starVLA#210"),
    explains=("symptom/loss-jump", "symptom/loss-spikes"),
    fault=(
        Edit(
            script="resume",
            old='    scheduler.load_state_dict(state["scheduler"])\n',
            new="",
        ),
    ),
    log=Rewrite("resumed", 90, {"lr": (3e-4, 2.4e-4)}),
)
def CHECK(resumptions: Resumptions) -> Iterator[Finding]:
    """It goes on, its scheduler is at the start, and the learning rate jumps."""
    for load in resumptions.loads:
        position, saved = load.schedule_position, max(load.schedule_saved, load.counter)
        at_start = position is not None and position <= STARTED and saved >= LATE
        if not at_start or not load.signs or load.reset_asked or not load.lr_saved:
            continue
        ratio = max((lr / load.lr_saved for lr in load.lr), key=_size, default=1.0)
        if _size(ratio) > JUMP:
            yield Finding(
                measured={
                    "saved": load.lr_saved,
                    "used": ratio * load.lr_saved,
                    "counter": saved,
                    "position": position or 0,
                },
                where=Where(load.file, load.line),
            )


@CHECK.also
def from_log(rates: LogRates) -> Iterator[Finding]:
    """Where a log's run was taken up again, its rate leaps to where the schedule began.

    So it may where nothing else tells of a resume, if its decay was cut off (``logs/leaps.py``).
    Whether a new schedule was meant a log does not say: minor.
    """
    for resume in rates.resumed:
        start = any(near(resume.after, v, JUMP - 1) for v in (rates.first, rates.peak))
        if resume.before > 0 and start and _size(resume.after / resume.before) > JUMP:
            yield Finding(
                measured={"saved": resume.before, "used": resume.after, "step": resume.step},
                where=resume.where,
                severity="minor",
                variant="log" if resume.told else "leap",
            )


def _size(ratio: float) -> float:
    return max(ratio, 1.0 / ratio) if ratio > 0 else float("inf")


def _load(**values: object) -> Resumptions:
    made: dict[str, object] = {
        "file": "train.py",
        "line": 9,
        "counter": 60,
        "signs": ("printed",),
        "holds_optimizer": True,
        "optimizer_loaded": True,
        "scheduler_loaded": False,
        "optimizer": "AdamW",
        "state_empty": False,
        "stateful": True,
        "updates": 60,
        "schedule_position": 0,
        "schedule_saved": 60,
        "lr_saved": 5e-4,
        "lr": (5e-4, 1e-4, 2e-4),
    }
    return Resumptions((Resumption(**{**made, **values}),))  # type: ignore[arg-type]


def _log(before: float, after: float, told: bool = True) -> LogRates:
    resume = RateAtResume(800.0, before, after, told=told)
    return LogRates("lr", 120, 3e-4, 3e-4, 0.0, 0.0, resumed=(resume,))


SICK = (
    Example((_load(),), finds=({"saved": 5e-4, "counter": 60},)),
    Example((_load(lr=(1e-3,)),), finds=({"used": 1e-3},)),
    Example((_log(1e-4, 3e-4),), finds=({"saved": 1e-4, "used": 3e-4, "step": 800.0},)),
    Example((_log(1e-4, 3e-4, told=False),), finds=({"saved": 1e-4, "used": 3e-4},)),
)
HEALTHY = (
    # logs that go on; whose author took another rate
    Example((_log(1e-4, 0.98e-4),)),
    Example((_log(1e-4, 3e-5),)),
    Example((_load(schedule_position=60, lr=(5e-4, 4.9e-4)),)),
    Example((_load(signs=()),)),  # a new training warms up again
    Example((_load(schedule_position=None, lr=(5e-4,)),)),  # computed from the step by hand
    Example((_load(lr=(5e-4, 5e-4)),)),  # constant
)
