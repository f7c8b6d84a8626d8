"""Where each row of a log stands on every axis two runs can be compared on."""

import re
from collections.abc import Mapping

import numpy as np

from shindan.core.evidence.pairs import AXES, Axis
from shindan.logs.facts import Given
from shindan.logs.judged import Judged
from shindan.logs.roles import normal
from shindan.logs.table import LogTable, Numbers

CLOCKS = r"(?:\w*_)?(?:elapsed|runtime|wall_?time|time|timestamp|date|seconds|_runtime)(?:_\w+)?"
UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
ONCE: Mapping[Axis, str] = {"seconds": "train_runtime", "flops": "total_flos"}
"""What Hugging Face's Trainer writes in its last row."""
FLOPS = 6.0
"""Of a parameter and a token, forward and backward (Kaplan et al. 2020, without attention)."""


def positions(log: Judged, found: Given) -> Mapping[Axis, Numbers]:
    """Axis -> where each row stands (rows,), NaN where that is not known; known axes alone."""
    x, unit, table = log.axis.x, log.axis.unit, log.table
    made: dict[Axis, Numbers] = {}
    epoch = log.roles.get(table, "epoch")
    per_epoch = _per_epoch(log, found)
    if unit in ("step", "update"):
        made["updates"] = x / log.axis.progress.per_update
    elif unit == "epoch" and per_epoch is not None:
        made["updates"] = x * per_epoch
    if unit == "epoch":
        made["epochs"] = x
    elif (
        epoch is not None
        and np.isfinite(epoch).any()
        and len(np.unique(epoch[np.isfinite(epoch)])) > 1
    ):
        made["epochs"] = epoch
    elif "updates" in made and per_epoch is not None:
        made["epochs"] = made["updates"] / per_epoch
    _tokens(log, found, made)
    seconds = _seconds(table, x)
    if seconds is not None:
        made["seconds"] = seconds
    if "tokens" in made and "parameters" in found:
        made["flops"] = FLOPS * float(found["parameters"]) * made["tokens"]
    return {axis: made[axis] for axis in AXES if axis in made}


def spent(log: Judged, found: Given, at: Mapping[Axis, Numbers]) -> dict[Axis, float]:
    """What the whole run took, as said, else as far as its log goes."""
    made: dict[Axis, float] = {}
    for axis in AXES:
        reached = at[axis][np.isfinite(at[axis])] if axis in at else np.empty(0)
        if axis in found and float(found[axis]) > 0:
            made[axis] = float(found[axis])
        elif axis in ONCE and (value := once(log.table, ONCE[axis])) is not None:
            made[axis] = value
        elif len(reached):
            made[axis] = float(reached.max())
    return made


def once(table: LogTable, column: str) -> float | None:
    """The one value of a column that a writer fills at the end."""
    values = table.columns.get(column)
    there = values[np.isfinite(values)] if values is not None else np.empty(0)
    return float(there[0]) if len(there) == 1 else None


def _per_epoch(log: Judged, found: Given) -> float | None:
    if "updates_per_epoch" in found:
        return float(found["updates_per_epoch"])
    if "updates" in found and log.axis.unit == "epoch" and log.axis.progress.last > 0:
        return float(found["updates"]) / log.axis.progress.last
    if "updates" in found and found.get("epochs"):
        return float(found["updates"]) / float(found["epochs"])
    return None


def _tokens(log: Judged, found: Given, made: dict[Axis, Numbers]) -> None:
    logged = log.roles.get(log.table, "tokens")
    if logged is not None and np.isfinite(logged).any():
        made["tokens"] = logged
    elif "updates" in made:
        each = found.get("tokens_per_update")
        if each is None and {"batch_size", "sequence_length"} <= set(found):
            each = float(found["batch_size"]) * float(found["sequence_length"])
        if each is not None:
            made["tokens"] = made["updates"] * float(each)


def _seconds(table: LogTable, x: Numbers) -> Numbers | None:
    """Seconds since the first row, from a clock or a count that runs, or from times of steps."""
    for name, values in table.columns.items():
        there = values[np.isfinite(values)]
        if len(there) < 2 or not re.fullmatch(CLOCKS, normal(name)):
            continue
        scale = UNITS.get(str(table.settings.get(f"units.{name}", "s")), 1.0)
        if (np.diff(there) >= 0).all() and there[-1] > there[0]:
            scale = 1e-3 if there[0] > 1e11 else scale  # a date in milliseconds
            start = there[0] if there[0] > 1e8 else 0.0  # a date, or time gone by
            return np.asarray((values - start) * scale)
    return None
