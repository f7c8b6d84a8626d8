"""Where each row of a log stands on every axis two runs can be compared on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shindan.core.evidence.axes import AXES, Axis, Clock
from shindan.logs.clocks import TOTAL, timed, tokens_of_update
from shindan.logs.facts import Given
from shindan.logs.judged import Judged
from shindan.logs.table import Numbers, once

ONCE: Mapping[Axis, str] = {"seconds": TOTAL, "flops": "total_flos"}
"""What Hugging Face's Trainer writes in its last row."""
FLOPS = 6.0
"""Of a parameter and a token, forward and backward (Kaplan et al. 2020, without attention)."""


@dataclass(frozen=True)
class Places:
    """Axis -> where each row stands (rows,), NaN where that is not known; known axes alone."""

    at: Mapping[Axis, Numbers]
    clock: Clock | None = None
    """Where the seconds come from."""
    tokens_each: float | None = None
    """Tokens of an update, all devices and accumulation counted."""


def positions(log: Judged, found: Given) -> Places:
    """Where the rows stand on every axis that is known."""
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
    each = _tokens(log, found, made)
    time = timed(table, made.get("updates"), each)
    if time is not None:
        made["seconds"] = time.seconds - _started(log, time.seconds, time.clock)
    if "tokens" in made and "parameters" in found:
        made["flops"] = FLOPS * float(found["parameters"]) * made["tokens"]
    at = {axis: made[axis] for axis in AXES if axis in made}
    return Places(at, time.clock if time else None, each)


def _started(log: Judged, seconds: Numbers, clock: Clock) -> float:
    """By dates, the moment at which the run that is judged began: others may stand before it."""
    rows = np.flatnonzero(log.axis.kept & np.isfinite(seconds))
    return float(seconds[rows[0]]) if clock == "dates" and len(rows) else 0.0


def spent(log: Judged, found: Given, at: Mapping[Axis, Numbers]) -> dict[Axis, float]:
    """What the whole run took, as said, else as far as its log goes."""
    made: dict[Axis, float] = {}
    for axis in AXES:
        reached = at[axis][log.axis.kept & np.isfinite(at[axis])] if axis in at else np.empty(0)
        if axis in found and float(found[axis]) > 0:
            made[axis] = float(found[axis])
        elif axis in ONCE and (value := once(log.table, ONCE[axis])) is not None:
            made[axis] = value
        elif len(reached):
            made[axis] = float(reached.max())
    return made


def _per_epoch(log: Judged, found: Given) -> float | None:
    if "updates_per_epoch" in found:
        return float(found["updates_per_epoch"])
    if "updates" in found and log.axis.unit == "epoch" and log.axis.progress.last > 0:
        return float(found["updates"]) / log.axis.progress.last
    if "updates" in found and found.get("epochs"):
        return float(found["updates"]) / float(found["epochs"])
    return None


def _tokens(log: Judged, found: Given, made: dict[Axis, Numbers]) -> float | None:
    """Put in the tokens as logged, else as counted; tokens of an update, where they are known."""
    updates, each = made.get("updates"), found.get("tokens_per_update")
    if each is None and {"batch_size", "sequence_length"} <= set(found):
        each = float(found["batch_size"]) * float(found["sequence_length"])
    if each is None:
        each = tokens_of_update(log.table, updates)
    logged = log.roles.get(log.table, "tokens")
    if logged is not None and np.nanmax(logged, initial=0.0) > 0:
        made["tokens"] = logged
        both = np.isfinite(logged) & (updates > 0) if updates is not None else np.zeros(0, bool)
        if updates is not None and both.any():
            each = float(np.median(logged[both] / updates[both]))
    elif updates is not None and each is not None:
        made["tokens"] = updates * float(each)
    return None if each is None else float(each)
