"""The schedule's length is not the run's."""

from collections.abc import Iterator, Sequence

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import Curve, Update
from shindan.core.evidence.logs import LogRates
from shindan.core.evidence.rates import RateRow, Rates, SchedulerRow
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.schedules import Course, course, near, nearest

LEAST_UPDATES = 20
ZERO = 1e-5
"""LR of the peak's that no longer trains anything; a decade-wise decay does not get there."""
IDLE = 0.15
"""Share of the run at zero LR: a schedule that ends in time is this low for its last percents."""
PAST = 1.1
RISE = 0.1
HIGH = 0.5
WITHIN = 0.02
SURE = 3
"""Evaluations that repeat each other under a rate shown as zero; two may do so by chance."""


@check(
    id="schedule/total-steps-wrong",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("transformers#26827", "diffusers#4387", "speculators#859", "accelerate#628"),
    explains=("symptom/loss-flat", "symptom/slow-progress", "symptom/undertrained"),
    fault=(
        Edit(
            script="sft_padded",
            old="    max_steps = num_epochs * len(train_loader)\n",
            new="    max_steps = len(train_loader)\n",
        ),
        Edit(
            script="left_padded",
            old="min((s + 1) / warmup, 1 - 0.9 * (s - warmup) / (total_steps - warmup))",
            new="max(0.0, min((s + 1) / warmup, 1 - s / len(train_loader)))",
        ),
        Edit(
            script="accelerate_loop",
            old='config["num_epochs"] * len(train_dataloader) // config["accumulation"]',
            new='config["num_epochs"] * len(train_dataloader)',
        ),
        Edit(
            script="accumulate_amp",
            old="    def lr_factor(update):\n"
            "        if update < warmup:\n"
            "            return (update + 1) / warmup\n"
            "        return max(floor, 1.0 - (1.0 - floor) * "
            "(update - warmup) / (updates - warmup))\n",
            new='    train_cfg["steps"] = updates * train_cfg["gradient_accumulation_steps"]\n\n'
            "    def lr_factor(update):\n"
            "        if update < warmup:\n"
            "            return (update + 1) / warmup\n"
            '        done = (update - warmup) / (train_cfg["steps"] - warmup)\n'
            "        return max(floor, 1.0 - (1.0 - floor) * done)\n",
        ),
    ),
    log=Rewrite("hf_trainer", 80, {"learning_rate": 0.0}),
)
def CHECK(rates: Rates, curve: Curve) -> Iterator[Finding]:
    """LR at zero long before the end, a cosine that rises again, or a length in another unit.

    Runs cut short, floors above zero and restarts by design are silent.
    """
    for row in rates.rows:
        lr = course(curve, row.optimizer)
        if len(lr.rates) < LEAST_UPDATES or lr.peak <= 0:
            continue
        idle = lr.tail_below(ZERO)
        risen = _risen(row.schedulers, lr)
        unit = _unit(row, rates.batch, lr) if curve.ended == "normally" else None
        numbers: dict[str, int | float | str] = {"updates": row.updates, "peak": lr.peak}
        if idle > IDLE:
            last = round(len(lr.rates) * (1 - idle))
            yield Finding({**numbers, "idle": idle, "last": last}, row.step)
        elif risen is not None:
            numbers |= {"horizon": risen.horizon or 0, "steps": risen.steps}
            cycles = risen.steps >= 3 * (risen.horizon or 1)
            yield Finding(numbers, row.step, "minor" if cycles else "major", variant="rises")
        elif unit is not None:
            left = lr.rates[-1] / lr.peak
            numbers |= {"horizon": unit[0], "unit": unit[1], "left": left}
            yield Finding(numbers, row.step, variant="unit")


@CHECK.also
def from_log(rates: LogRates) -> Iterator[Finding]:
    """The learning rate a log shows is zero long before its end."""
    if rates.rows >= LEAST_UPDATES and rates.zero_share > IDLE:
        yield Finding(
            {"idle": rates.zero_share, "step": rates.zero_from, "peak": rates.peak},
            rates.where,
            variant="log",
        )
    elif rates.still:  # a rate may be shown as zero and train; then evaluations move
        yield Finding(
            {"rows": rates.rows, "evaluations": rates.still},
            severity="minor" if rates.still < SURE else None,
            variant="still",
        )


def _risen(schedulers: Sequence[SchedulerRow], lr: Course) -> SchedulerRow | None:
    """A schedule of known length, stepped past it, whose LR came down and rises again.

    Past their end cosines mirror themselves; restarts and cycles have kinds of their own.
    """
    again = lr.rises_again(RISE)
    for scheduler in schedulers:
        past = scheduler.horizon is not None and scheduler.steps > PAST * scheduler.horizon
        if past and scheduler.kind in ("CosineAnnealingLR", "LambdaLR") and again:
            return scheduler
    return None


def _unit(row: RateRow, batch: int | None, lr: Course) -> tuple[int, str] | None:
    """A length equal to the number of micro-steps or samples, while steps are updates."""
    if lr.rates[-1] < HIGH * lr.peak or lr.settled() < 0.9:
        return None
    units = {"micro-steps": row.micro_steps} if row.per_update > 1 else {}
    if batch is not None and batch > 1:
        units["samples"] = row.micro_steps * batch
    for scheduler in row.schedulers:
        given = [] if scheduler.horizon is None else [scheduler.horizon]
        lengths = [*given, *scheduler.integers.values()]
        one = near(scheduler.per_update, 1.0, 0.01)
        if one and nearest(lengths, row.updates, 2 * WITHIN) is None:
            for name, count in units.items():
                found = nearest(lengths, count, WITHIN)
                if found is not None:
                    return found, name
    return None


def _curve(rates: Sequence[float]) -> Curve:
    updates = tuple(Update(i, 0, (r,), 1) for i, r in enumerate(rates))
    return Curve((), updates, (), len(rates), len(rates), "normally")


def _rates(kind: str, steps: int, horizon: int | None, micro: int = 100) -> Rates:
    scheduler = SchedulerRow(kind, steps, 1.0, horizon, {})
    return Rates((RateRow(0, 100, micro, (scheduler,)),))


_FALLING = [1e-3 * (1 - i / 100) for i in range(100)]
_HALVED = [1e-3 * max(0.0, 1 - i / 50) for i in range(100)]
_MIRRORED = [1e-3 * (abs(i - 50) / 50 + 0.01) for i in range(100)]
_QUARTER = [1e-3 * (1 - i / 400) for i in range(100)]

SICK = (
    Example(
        evidence=(_rates("LambdaLR", 100, None), _curve(_HALVED)),
        finds=({"idle": 0.5, "last": 50},),
    ),
    Example(
        evidence=(_rates("CosineAnnealingLR", 100, 50), _curve(_MIRRORED)),
        finds=({"horizon": 50, "steps": 100},),
    ),
    Example(
        evidence=(_rates("LambdaLR", 100, 400, micro=400), _curve(_QUARTER)),
        finds=({"horizon": 400, "unit": "micro-steps"},),
    ),
    Example(
        (LogRates("lr", 100, 1e-3, 1e-3, 0.0, 0.0, zero_share=0.5, zero_from=500.0),),
        finds=({"idle": 0.5, "step": 500.0},),
    ),
    Example((LogRates("lr", 4, 0.0, 0.0, 0.0, 0.0, still=2),), finds=({"evaluations": 2},)),
)
HEALTHY = (
    # shown as zero in too few figures, while evaluations move
    Example((LogRates("lr", 40, 0.0, 0.0, 0.0, 0.0),)),
    Example(evidence=(_rates("LambdaLR", 100, 100), _curve(_FALLING))),
    # a floor above zero is reached early
    Example(evidence=(_rates("LambdaLR", 100, None), _curve([max(r, 1e-4) for r in _HALVED]))),
    # a long schedule, cut short
    Example(evidence=(_rates("LambdaLR", 100, 10_000), _curve(_QUARTER))),
    # a log whose schedule ends with it
    Example((LogRates("lr", 100, 1e-3, 1e-3, 0.0, 0.0, zero_share=0.02, zero_from=980.0),)),
    # warm restarts
    Example(evidence=(_rates("CosineAnnealingWarmRestarts", 100, 50), _curve(_MIRRORED))),
)
