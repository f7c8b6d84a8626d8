"""The schedule advances with every micro-step instead of every update."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, Update
from shindan.core.evidence.rates import RateRow, Rates, SchedulerRow
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.schedules import course, near, nearest

LEAST_UPDATES = 8
WITHIN = 0.05


@check(
    id="schedule/stepped-per-micro-step",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "Lightning#1476",
        "accelerate#963",
        "accelerate#999",
        "starVLA#210",
        "SpecForge#364",
        "timm#1235",
    ),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/loss-spikes"),
    subsumes=("schedule/total-steps-wrong",),
    fault=(
        Edit(
            script="accumulate_amp",
            old="""                update_loss += loss.item()
            scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(model.parameters(), train_cfg["max_grad_norm"])
            lr = optimizer.param_groups[0]["lr"]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
""",
            new="""                update_loss += loss.item()
                scheduler.step()
            scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(model.parameters(), train_cfg["max_grad_norm"])
            lr = optimizer.param_groups[0]["lr"]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
""",
        ),
        Edit(
            script="accumulate_amp",
            old="                update_loss += loss.item()\n",
            new="                update_loss += loss.item()\n                scheduler.step()\n",
        ),
        Edit(
            script="accelerate_loop",
            old="""eval_dataloader, scheduler = accelerator.prepare(
        model, optimizer, train_dataloader, eval_dataloader, scheduler
""",
            new="""eval_dataloader = accelerator.prepare(
        model, optimizer, train_dataloader, eval_dataloader
""",
        ),
    ),
)
def CHECK(rates: Rates, curve: Curve) -> Iterator[Finding]:
    """A scheduler's counter moves by the number of micro-steps between two updates, or by one more.

    One more: it is stepped at each micro-step and at the update besides.

    A length that is itself given in micro-steps makes that consistent, and silent; one in updates,
    or an LR that settles in the first part of the run, convicts; otherwise it may be meant.
    """
    for row in rates.rows:
        if row.updates < LEAST_UPDATES or row.per_update < 2:
            continue
        for scheduler in row.schedulers:
            whole = near(scheduler.per_update, row.per_update, 0.01)
            if not whole and not near(scheduler.per_update, row.per_update + 1, 0.01):
                continue
            lengths = _lengths(scheduler)
            if nearest(lengths, row.micro_steps, WITHIN) is not None:
                continue
            settled = course(curve, row.optimizer).settled()
            early = settled <= 1.25 / row.per_update
            in_updates = nearest(lengths, row.updates, WITHIN) is not None
            yield Finding(
                measured={
                    "scheduler": scheduler.kind,
                    "micro_steps": row.per_update,
                    "steps": scheduler.steps,
                    "updates": row.updates,
                },
                where=row.step,
                severity="major" if early or in_updates else "minor",
                variant="" if whole else "besides",
            )


def _lengths(scheduler: SchedulerRow) -> list[int]:
    given = [] if scheduler.horizon is None else [scheduler.horizon]
    return [*given, *scheduler.integers.values()]


def _rates(steps: float, horizon: int) -> Rates:
    scheduler = SchedulerRow("CosineAnnealingLR", int(steps * 100), steps, horizon, {})
    return Rates((RateRow(0, 100, 400, (scheduler,)),))


_CURVE = Curve(
    (), tuple(Update(i, 0, (1e-3 * (1 - i / 100),), 4) for i in range(100)), (), 400, 100
)

SICK = (
    Example(
        evidence=(_rates(4.0, 100), _CURVE),
        finds=({"micro_steps": 4, "steps": 400, "updates": 100},),
    ),
    # at the update besides
    Example(evidence=(_rates(5.0, 100), _CURVE), finds=({"micro_steps": 4, "steps": 500},)),
)
HEALTHY = (
    Example(evidence=(_rates(1.0, 100), _CURVE)),
    # the length is in micro-steps too
    Example(evidence=(_rates(4.0, 400), _CURVE)),
)
