"""The learning rate that is logged is not the one that is used.

A log may mean the update before or after it, any group of any optimizer, or a mean since the
last log, at the precision shown. One that reads the right object meets one of these every time.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.settings import LoggedRate, LoggedRates
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 3
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


def _place(logs: int, met: int) -> LoggedRates:
    wrong = (1e-3,) * min(4, logs - met)
    place = LoggedRate("train.py", 9, "lr", logs, logs, met, wrong, tuple(w / 8 for w in wrong))
    return LoggedRates((place,))


SICK = (
    Example((_place(10, 0),), finds=({"logged": 1e-3, "ratio": 8.0, "logs": 10},)),
    Example((_place(10, 1),), finds=({"logs": 9},)),
)
HEALTHY = (
    Example((_place(10, 10),)),
    Example((_place(10, 7),)),  # meets too often for another object
    Example((_place(2, 0),)),  # the configuration printed at the start
)
