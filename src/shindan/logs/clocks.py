"""Seconds of a run: a clock that runs, times of lines, times of steps, throughput, or the total.

Where only some steps are timed, those between take the usual time, which is the median: one step
that held an evaluation does not stand for its neighbours. What a log was not written about (a
resumed run's first part, a pause) no sum of steps shows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shindan.core.evidence.axes import Clock
from shindan.logs.numerals import SECONDS, duration, moment
from shindan.logs.roles import normal
from shindan.logs.table import LogTable, Numbers, once

RUNNING = (
    r"(?:train(?:ing)?|total|wall|elapsed|relative|cumulative|run)_?(?:wall_?)?"
    r"(?:time|seconds|runtime|sec|wall|clock)",
    r"elapsed(?:_time)?(?:_(?:s|sec|seconds|ms))?", r"run_?time",
    r"(?:s|sec|seconds)_elapsed", r"wall_?(?:time|clock)", r"sec",
    r"seconds", r"time(?:_elapsed)?(?:_(?:s|sec|seconds|ms|min|h))?",
)  # fmt: skip
"""Counts that run from the beginning, by their whole names."""
DATES = r"(?:\w*_)?(?:timestamp|date(?:time)?|created_at|wall_time|time)"
"""Times of day, in words or in seconds since 1970."""
STEPS = (
    r"dt", r"ms", r"(?:ms|s|sec|seconds|time)_(?:per_)?(?:step|batch|iter|iteration|it)",
    r"(?:step|iter(?:ation)?|batch|train_step)_(?:time|duration)(?:_(?:ms|s|sec))?", r"time",
    r"dt_(?:ms|s)", r"s_it",
)  # fmt: skip
"""What one step took."""
SPEEDS = (
    r"(?:it|iters?|iterations?|steps?|batches|updates)_(?:per_)?(?:s|sec|second)", r"ups",
    r"train_steps_per_second",
)  # fmt: skip
"""Steps of a second."""
FLOWS = (
    r"(?:\w+_)?tok(?:ens?)?_(?:per_)?(?:s|sec|second)(?:_\w+)?", r"wps",
)  # fmt: skip
"""Tokens of a second, all devices counted (torchtitan's ``tps`` is of one)."""
SINCE_1970 = 1e8
"""Above this a number of seconds is a date."""
FEWEST = 5
"""Values that must rise to be a clock: two or three times of steps rise by chance."""
WARMING = 20
"""Rows after which a clock that is set anew is another run's: modded-nanogpt sets it at the tenth
step, when all is compiled."""
STEADY = 0.02
"""Spread (quartiles over median) up to which tokens of an update are one number."""
TOTAL = "train_runtime"
"""Hugging Face's: seconds of the whole run, once, in the last row."""


@dataclass(frozen=True)
class Timed:
    """Seconds since the beginning by row (rows,), NaN where unknown, and where they come from."""

    seconds: Numbers
    clock: Clock


def timed(table: LogTable, updates: Numbers | None, tokens_each: float | None) -> Timed | None:
    """The surest of what the log says of its time; None where it says nothing.

    ``updates`` (rows,) is where each row stands, ``tokens_each`` the tokens of an update.
    """
    for values in _named(table, RUNNING):
        values = _since_set(values)
        there = values[np.isfinite(values)]
        rises = len(there) >= FEWEST and bool((np.diff(there) >= 0).all())
        if rises and 0 <= there[0] < there[-1] < SINCE_1970:
            return Timed(values, "clock")
    found = _dated(table)
    if found is not None or updates is None:
        return found
    found = _of_steps(table, updates, tokens_each)
    return found if found is not None else _of_total(table, updates)


def tokens_of_update(table: LogTable, updates: Numbers | None) -> float | None:
    """Seconds of a step times tokens of a second, where both are logged and agree throughout."""
    if updates is None:
        return None
    for each in _named(table, STEPS):
        for flow in _named(table, FLOWS):
            both = np.isfinite(each) & np.isfinite(flow) & (each > 0) & (flow > 0)
            if both.sum() < 3:
                continue
            made = each[both] * flow[both]
            low, middle, high = np.percentile(made, (25, 50, 75))
            if high - low <= STEADY * middle and middle >= 1:
                return float(round(middle))
    return None


def _named(table: LogTable, patterns: tuple[str, ...]) -> Iterator[Numbers]:
    """Columns in seconds (or per second), the surest name first."""
    for pattern in patterns:
        for name, values in table.columns.items():
            if re.fullmatch(pattern, normal(name)) and np.isfinite(values).any():
                yield values * _scale(table, name)


def _since_set(values: Numbers) -> Numbers:
    """Without the rows before a clock was set anew, where that was at the very beginning."""
    there = np.flatnonzero(np.isfinite(values))
    falls = np.flatnonzero(np.diff(values[there]) < 0)
    if not len(falls) or falls[-1] >= max(WARMING, 0.01 * len(there)):
        return values
    return np.where(np.arange(len(values)) <= there[falls[-1]], np.nan, values)


def _scale(table: LogTable, name: str) -> float:
    """From the column's unit to seconds: the one behind its numbers, else the one in its name."""
    unit = table.settings.get(f"units.{name}")
    if isinstance(unit, str) and unit in SECONDS:
        return SECONDS[unit]
    words = normal(name).split("_")
    return 1e-3 if "ms" in words else 60.0 if words[-1] == "min" else 1.0


def _dated(table: LogTable) -> Timed | None:
    """Times of day beside the rows, as numbers or in words, or time gone by in words."""
    for name, values in _texts(table):
        there = values[np.isfinite(values)]
        if len(there) < 2 or (np.diff(there) < 0).any() or there[0] == there[-1]:
            continue
        if there[0] > SINCE_1970 and re.fullmatch(DATES, normal(name)):
            return Timed(values - there[0], "dates")
        if name in table.words and there[0] >= 0 and re.fullmatch("|".join(RUNNING), normal(name)):
            return Timed(values, "clock")
    return None


def _texts(table: LogTable) -> Iterator[tuple[str, Numbers]]:
    yield from table.columns.items()
    for name, words in table.words.items():
        if re.fullmatch("|".join((DATES, *RUNNING)), normal(name)):
            read = [None if w is None else _moment(w) for w in words]
            yield name, np.array([np.nan if v is None else v for v in read])


def _moment(word: str) -> float | None:
    """Seconds of a date (since 1970) or of a duration."""
    at = moment(word)
    return duration(word) if at is None else at


def _of_steps(table: LogTable, updates: Numbers, tokens_each: float | None) -> Timed | None:
    """The sum of what steps took: measured where a row says it, the usual time in between."""
    for each, clock in _step_times(table, tokens_each):
        rows = np.flatnonzero(np.isfinite(each) & (each > 0) & np.isfinite(updates))
        at = updates[rows]
        if len(rows) < 3 or (np.diff(at) < 0).any():
            continue
        usual = float(np.median(each[rows]))
        apart = np.diff(at, prepend=at[0] - 1)
        gone = np.cumsum(each[rows] + usual * np.maximum(apart - 1, 0))
        # what is timed may be micro-steps, several to an update
        before = usual * max(at[0] - 1, 0.0) * max(1.0, len(rows) / (at[-1] - at[0] + 1))
        made = np.full(len(updates), np.nan)
        there = np.isfinite(updates) & (updates >= at[0]) & (updates <= at[-1])
        made[there] = np.interp(updates[there], at, gone + before)
        return Timed(made, clock)
    return None


def _step_times(table: LogTable, tokens_each: float | None) -> Iterator[tuple[Numbers, Clock]]:
    """Seconds of a step (rows,), from its time or from a speed."""
    for name, values in table.columns.items():
        words = normal(name)
        if words == "time" and table.settings.get(f"units.{name}") != "ms":
            continue  # in seconds it may be an epoch's
        if any(re.fullmatch(pattern, words) for pattern in STEPS):
            yield values * _scale(table, name), "steps"
    with np.errstate(divide="ignore"):
        for speed in _named(table, SPEEDS):
            yield 1 / speed, "speed"
        if tokens_each is not None:
            for flow in _named(table, FLOWS):
                yield tokens_each / flow, "speed"


def _of_total(table: LogTable, updates: Numbers) -> Timed | None:
    """The total, gone by evenly."""
    total, there = once(table, TOTAL), updates[np.isfinite(updates)]
    if total is None or not len(there) or there.max() <= 0:
        return None
    return Timed(updates / there.max() * total, "total")
