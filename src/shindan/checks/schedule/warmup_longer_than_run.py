"""The run ends inside its warm-up."""

from collections.abc import Iterator
from itertools import pairwise

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import Curve, Update
from shindan.core.evidence.logs import LogProgress, LogRates
from shindan.core.evidence.rates import RateRow, Rates
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity

LEAST_UPDATES = 20
TRIAL = 100
"""Shorter runs may be trials of a longer one, cut short on purpose."""
STRAIGHT = 0.01
"""Room for rounding in the slope of a linear warm-up, relative."""


@check(
    id="schedule/warmup-longer-than-run",
    kind="cause",
    severity="major",
    grounds="ledger",
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/undertrained"),
    fault=(
        Edit(
            script="gpt_plain",
            old="max_iters, warmup_iters, eval_interval, eval_iters = 120, 12, 60, 8",
            new="max_iters, warmup_iters, eval_interval, eval_iters = 120, 1200, 60, 8",
        ),
        Edit(
            script="sft_padded",
            old="num_epochs, warmup_steps = 2, 10",
            new="num_epochs, warmup_steps = 2, 2000",
        ),
    ),
    log=Rewrite("hf_trainer", 0, {"learning_rate": (1e-6, 2e-5)}),
)
def CHECK(rates: Rates, curve: Curve) -> Iterator[Finding]:
    """A learning rate that climbs in a straight line to the last update of a run that ended.

    A search for the best rate climbs too, but by factors; a cycle cut short is curved or falls.
    """
    if curve.ended != "normally":
        return
    for row in rates.rows:
        used = [u for u in curve.updates if u.optimizer == row.optimizer and u.lr and not u.skipped]
        if row.updates < LEAST_UPDATES or len(used) < LEAST_UPDATES:
            continue
        first, last = used[0].lr[0], used[-1].lr[0]
        if _straight(used):
            severity: Severity = "major" if row.updates >= TRIAL else "minor"
            measured = {"updates": row.updates, "lr_first": first, "lr_last": last}
            yield Finding(measured, row.step, severity)


@CHECK.also
def from_log(rates: LogRates, progress: LogProgress) -> Iterator[Finding]:
    """The rate a log shows climbs straight to its last row.

    Whether the run ended there is known where the log says how many steps were meant; else the
    log may be of a run that goes on.
    """
    if rates.rows < LEAST_UPDATES or not rates.straight:
        return
    planned = progress.planned
    ended = planned is not None and progress.last >= planned - progress.interval
    if planned is not None and not ended:
        return  # stopped on the way: its warm-up may be right
    certain = ended and progress.updates >= TRIAL
    yield Finding(
        {"updates": progress.updates, "lr_first": rates.first, "lr_last": rates.last},
        severity="major" if certain else "info",
        variant="" if ended else "log",
    )


def _straight(used: list[Update]) -> bool:
    """Does the rate rise by the same amount from each update to the next, to the very end?"""
    slopes = [
        (b.lr[0] - a.lr[0]) / (b.index - a.index) for a, b in pairwise(used) if b.index > a.index
    ]
    mean = (used[-1].lr[0] - used[0].lr[0]) / max(1, used[-1].index - used[0].index)
    return mean > 0 and all(abs(s - mean) <= STRAIGHT * mean for s in slopes)


def _curve(rates: list[float], ended: str = "normally") -> Curve:
    updates = tuple(Update(i, 0, (r,), 1) for i, r in enumerate(rates))
    return Curve((), updates, (), len(rates), len(rates), ended)


def _rates(updates: int) -> Rates:
    return Rates((RateRow(0, updates, updates, ()),))


_WARMING = [(i + 1) / 2**20 for i in range(128)]

_LOG = LogRates("lr", 128, 2**-20, 2**-13, 2**-13, 1.0, straight=True)


def _progress(planned: float | None) -> LogProgress:
    return LogProgress("step", 128, 10, 1280, 10, updates=1280, planned=planned)


SICK = (
    Example(
        evidence=(_rates(128), _curve(_WARMING)),
        finds=({"updates": 128, "lr_last": 2**-13},),
    ),
    Example(evidence=(_rates(40), _curve(_WARMING[:40])), finds=({"updates": 40},)),
    Example((_LOG, _progress(1280)), finds=({"updates": 1280, "lr_last": 2**-13},)),
    Example((_LOG, _progress(None)), finds=({"updates": 1280},)),
)
HEALTHY = (
    Example(evidence=(_rates(120), _curve([min(r, 1e-4) for r in _WARMING]))),
    # a search for the best rate
    Example(evidence=(_rates(120), _curve([1e-7 * 1.1**i for i in range(120)]))),
    # the log is of a run that goes on; it reaches its peak
    Example((_LOG, _progress(50_000))),
    Example((LogRates("lr", 128, 1e-6, 1e-4, 1e-5, 0.1), _progress(1280))),
    # stopped by its author
    Example(evidence=(_rates(120), _curve(_WARMING, "interrupted"))),
    Example(evidence=(_rates(120), _curve([1e-3] * 120))),
)
