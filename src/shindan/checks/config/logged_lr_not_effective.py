"""The learning rate that is logged is not the one that is used.

A log may mean the update before or after it, any group of any optimizer, or a mean since the
last log, at the precision shown. One that reads the right object meets one of these every time.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.logs import LogRates
from shindan.core.evidence.settings import LoggedRate, LoggedRates
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 3
MOST = 0.8
"""Share of a log's rows in which its two rates must differ."""
FACTOR = 2.0
"""... and by how much, to mislead who reads the log."""
CHANCE = 0.2
"""A constant rate is met where a schedule passes through it: at most this share of the logs."""


@check(
    id="config/logged-lr-not-effective",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("transformers#10362", "DeepSpeed#7303"),
    fault=(
        Edit(
            script="gpt_plain",
            old="lr {lr:.2e}",
            new="lr {learning_rate:.2e}",
        ),
        Edit(
            script="accumulate_amp",
            old='"lr": lr,',
            new='"lr": train_cfg["lr"],',
        ),
    ),
    log=Rewrite("controlled", 0, {"tsp_effective_lr": 2e-5}),
)
def CHECK(rates: LoggedRates) -> Iterator[Finding]:
    """A place whose numbers meet the rates around them only by chance."""
    for place in rates.places:
        wrong = place.logs - place.met
        if wrong < LEAST or place.updates < LEAST or place.met > CHANCE * place.logs:
            continue
        logged, used = place.logged[-1], place.used[-1]
        yield Finding(
            measured={
                "logged": logged,
                "used": used,
                "ratio": logged / used if used else float("inf"),
                "logs": wrong,
            },
            where=Where(place.file, place.line),
        )


@CHECK.also
def from_log(rates: LogRates) -> Iterator[Finding]:
    """The log itself has another column that says which rate acted."""
    if rates.compared < LEAST or rates.differing < MOST * rates.compared:
        return
    ratio = rates.logged / rates.used if rates.used > 0 else float("inf")
    grave = ratio >= FACTOR or ratio <= 1 / FACTOR
    yield Finding(
        measured={
            "logged": rates.logged,
            "used": rates.used,
            "ratio": ratio,
            "logs": rates.differing,
            "of": rates.compared,
            "column": rates.column,
            "name": rates.effective,
        },
        where=rates.where,
        severity=None if grave else "minor",
        variant="log",
    )


def _place(logs: int, met: int) -> LoggedRates:
    wrong = (1e-3,) * min(4, logs - met)
    place = LoggedRate("train.py", 9, "lr", logs, logs, met, wrong, tuple(w / 8 for w in wrong))
    return LoggedRates((place,))


def _rates(differing: int, logged: float, used: float) -> LogRates:
    return LogRates(
        "lr", 62, logged, logged, logged, 0.0, compared=62, differing=differing,
        logged=logged, used=used, effective="effective_lr",
    )  # fmt: skip


SICK = (
    Example((_place(10, 0),), finds=({"logged": 1e-3, "ratio": 8.0, "logs": 10},)),
    Example((_place(10, 1),), finds=({"logs": 9},)),
    Example((_rates(62, 0.05, 0.005),), finds=({"logged": 0.05, "used": 0.005, "logs": 62},)),
)
HEALTHY = (
    Example((_rates(0, 0.05, 0.05),)),
    Example((_rates(20, 0.05, 0.04),)),  # a controller that speaks now and then
    Example((_place(10, 10),)),
    Example((_place(10, 7),)),  # meets too often for another object
    Example((_place(2, 0),)),  # the configuration printed at the start
)
