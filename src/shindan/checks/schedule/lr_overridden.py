"""Something sets the learning rate after the scheduler has."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.rates import RateRow, Rates, SchedulerRow
from shindan.core.example import Example
from shindan.core.finding import Finding

LEAST = 10
SHARE = 0.8
"""Share of updates: a damped warm-up beside a scheduler differs for a while only."""


@check(
    id="schedule/lr-overridden",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("DeepSpeed#7303", "LlamaFactory#1515", "YellowFin#2"),
    explains=("symptom/slow-progress", "symptom/loss-diverging", "symptom/loss-spikes"),
    fault=(
        Edit(
            script="sft_padded",
            old="            outputs = model(**batch)\n            outputs.loss.backward()\n",
            new="            for group in optimizer.param_groups:\n"
            '                group["lr"] = 4e-3\n'
            "            outputs = model(**batch)\n            outputs.loss.backward()\n",
        ),
        Edit(
            script="gpt_mingpt",
            old="                self.optimizer.step()\n",
            new="                for group in self.optimizer.param_groups:\n"
            '                    group["lr"] = self.config.learning_rate\n'
            "                self.optimizer.step()\n",
        ),
    ),
)
def CHECK(rates: Rates) -> Iterator[Finding]:
    """The LR in use at ``optimizer.step`` was none that any scheduler of it had last set.

    Schedules written by hand, without a scheduler object, have one owner and are not judged.
    """
    for row in rates.rows:
        if row.compared >= LEAST and row.overridden >= SHARE * row.compared:
            yield Finding(
                measured={
                    "scheduler": row.schedulers[-1].kind if row.schedulers else "scheduler",
                    "overridden": row.overridden,
                    "compared": row.compared,
                    "said": row.said,
                    "used": row.used,
                },
                where=row.step,
            )


def _row(overridden: int) -> Rates:
    scheduler = SchedulerRow("LambdaLR", 100, 1.0, None, {})
    return Rates((RateRow(0, 100, 100, (scheduler,), 100, overridden, 1e-4, 1e-3),))


SICK = Example(evidence=(_row(99),), finds=({"overridden": 99, "said": 1e-4, "used": 1e-3},))
HEALTHY = (
    Example(evidence=(_row(0),)),
    # a warm-up that damps what the scheduler says, for a tenth of the run
    Example(evidence=(_row(10),)),
)
