"""Where each row of a log stands on the way of its run, and which rows the run went on from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.logs import LogProgress, Return
from shindan.core.finding import NOWHERE, Where
from shindan.logs.anew import begun, counted_on
from shindan.logs.roles import Roles, counters, setting
from shindan.logs.table import LogTable, Numbers

Mask = NDArray[np.bool_]

REGULAR = 0.9
"""Share of equal distances from which a log is regular enough to miss rows in it."""
RECORDS = {"hf-trainer-state", "json", "phase8", "tensorboard", "wandb", "mlflow-sqlite",
    "mlflow-files", "trackio", "shindan-record"}  # fmt: skip
"""Formats whose rows are numbered by records."""
EXACT = ("step", "update")
"""Counters that do not stand still: an epoch may be a fraction, cut to two figures."""
RETURNS = 20
"""Returns that are told one by one."""


@dataclass(frozen=True)
class Axis:
    """``x`` (rows,) in ``unit``; ``kept`` (rows,) are the rows that the run went on from.

    Where a resumed run wrote steps again, its rows count and the ones before do not. A count that
    begins anew within the one run of the table (see ``logs/runs.py``) counts on: it is of an epoch.
    ``resumed`` are the rows at which the run was taken up again.
    """

    unit: str
    x: Numbers
    kept: Mask
    progress: LogProgress
    resumed: tuple[int, ...] = ()


def axis(table: LogTable, roles: Roles) -> Axis:
    """The axis of one run's rows that have a loss (or, without one, of all rows)."""
    unit, x = positions(table, roles)
    loss = roles.columns.get("loss")
    rows = table.present[loss] if loss else np.ones(len(x), dtype=np.bool_)
    index = np.flatnonzero(rows & np.isfinite(x))
    kept = np.zeros(len(x), dtype=np.bool_)
    kept[~rows] = True
    if not len(index):
        return Axis(unit, x, kept, LogProgress(unit, 0, 0.0, 0.0, 0.0))
    fresh = begun(x[index])
    fresh = fresh[x[index[fresh]] <= x[index[0]]]
    if len(fresh):
        x = counted_on(x, index, fresh)
    chosen = _surviving(x[index], unit in EXACT)
    kept[index[chosen]] = True
    if unit != "row" and (~rows).any():
        low, high = x[index[chosen]][[0, -1]]
        kept &= ~(~rows & ((x < low - (high - low)) | (x > 2 * high - low)))
    progress = _progress(table, roles, unit, x, index, index[chosen])
    progress = replace(progress, passes=len(fresh))
    return Axis(unit, x, kept, progress, _resumed(table, roles, x, index, kept))


def place(table: LogTable, row: int) -> Where:
    """The row's line in the file; of a file without lines, or of many rows a line, the file."""
    by_line = table.lines is not None and table.format not in RECORDS
    line = int(table.lines[row]) if by_line and table.lines is not None else None
    return Where(str(table.path), line if line and line > 0 else None)


def positions(table: LogTable, roles: Roles) -> tuple[str, Numbers]:
    """The unit and the position of each row; a row without one stands where the last one stood."""
    loss = roles.columns.get("loss")
    needed = table.present[loss] if loss else np.ones(len(table), dtype=np.bool_)
    step, epoch = roles.get(table, "step"), roles.get(table, "epoch")
    for unit, values in (("step", step), ("update", roles.get(table, "update")),
                         ("epoch", epoch), ("tokens", roles.get(table, "tokens"))):  # fmt: skip
        if values is None or not needed.any():
            continue
        if _heads(values, needed):
            values = filled(values)
        there = values[needed]
        there = there[np.isfinite(there)]
        if len(there) < 0.5 * needed.sum() or there.min() == there.max():
            continue
        if unit == "step":
            values = _joined(table, roles, values)
        if unit == "step" and epoch is not None:
            values = _through_epochs(values, epoch, _length(table, roles))
        return unit, filled(values)
    return "row", np.arange(len(table), dtype=np.float64)


def _heads(values: Numbers, needed: Mask) -> bool:
    """Whether the counter stands on a line of its own before each loss, as a heading does."""
    counted = np.isfinite(values)
    if (counted & needed).any():
        return False
    last = np.maximum.accumulate(np.where(counted, np.arange(len(values)), -1))[needed]
    return bool(len(last) > 1 and last[0] >= 0 and float((np.diff(last) > 0).mean()) >= REGULAR)


def _joined(table: LogTable, roles: Roles, step: Numbers) -> Numbers:
    """Where a row has another counter of steps (an evaluation's), that one."""
    for column in counters(table):
        if column != roles.columns["step"]:
            step = np.where(np.isfinite(step), step, table.columns[column])
    return step


def _length(table: LogTable, roles: Roles) -> float | None:
    """Steps of an epoch, where the log says so (``200/ 2983 batches``)."""
    total = table.columns.get(f"{roles.columns['step']}_total")
    known = total[np.isfinite(total)] if total is not None else np.empty(0)
    return float(known[0]) if len(known) and known.min() == known.max() else None


def _through_epochs(step: Numbers, epoch: Numbers, length: float | None) -> Numbers:
    """Steps that begin anew in each epoch, counted on."""
    epoch = filled(epoch)
    there = np.flatnonzero(np.isfinite(step))
    s, e = step[there], np.floor(epoch[there])
    falls = np.flatnonzero(np.diff(s) < 0)
    ups = np.flatnonzero(np.diff(e) > 0)
    if not len(falls) or not len(ups) or len(np.intersect1d(falls, ups)) < 0.8 * len(ups):
        return step
    if length is None:
        moves = np.diff(s)
        length = float(s.max()) + (float(np.median(moves[moves > 0])) if (moves > 0).any() else 1)
    made = step.copy()
    made[there] = (e - e[0]) * length + s
    return made


def filled(values: Numbers) -> Numbers:
    """Gaps hold the value before them (the first one at the beginning)."""
    there = np.isfinite(values)
    if there.all() or not there.any():
        return values
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    first = int(np.argmax(there))
    return np.asarray(values[np.where(last < 0, first, last)])


def _surviving(at: Numbers, exact: bool) -> NDArray[np.int64]:
    """The indices of the counts ``at`` (n,) that no later row wrote again.

    Only an ``exact`` counter says that equal ones are the same.
    """
    later = np.append(np.minimum.accumulate(at[::-1])[::-1][1:], np.inf)
    return np.asarray(np.flatnonzero(at < later if exact else at <= later))


def _progress(
    table: LogTable,
    roles: Roles,
    unit: str,
    x: Numbers,
    index: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> LogProgress:
    at = x[kept]
    moves = np.diff(at)
    forward = moves[moves > 0]
    interval = float(np.median(forward)) if len(forward) else 0.0
    wide = (
        np.flatnonzero(moves > 1.5 * interval) if _regular(moves, interval) else np.array([], int)
    )
    all_moves = np.diff(x[index])
    double = np.flatnonzero(all_moves == 0) if unit in EXACT else np.empty(0, np.int64)
    per = _per_update(table, roles, unit, kept)
    span = float(at[-1] - at[0]) + interval if unit in EXACT else float(len(kept))
    planned = setting(table, "planned")
    return LogProgress(
        unit=unit,
        rows=len(kept),
        first=float(at[0]),
        last=float(at[-1]),
        interval=interval,
        per_update=per,
        updates=max(len(kept), round(span / per)),
        twice=len(double),
        missing=int((np.round(moves[wide] / interval) - 1).sum()) if len(wide) else 0,
        gaps=len(wide),
        gap=place(table, int(kept[wide[0] + 1])) if len(wide) else NOWHERE,
        double=place(table, int(index[double[0] + 1])) if len(double) else NOWHERE,
        returns=_returns(table, x, index, np.flatnonzero(all_moves < 0).tolist()),
        restarts=len(_restarts(table, roles, kept)),
        planned=planned[1] if planned and planned[1] > 0 and unit == "step" else None,
    )


def _regular(moves: Numbers, interval: float) -> bool:
    """Whether rows stand so evenly that one can be missing: by whole numbers of the interval."""
    if not len(moves) or interval <= 0 or float((moves == interval).mean()) < REGULAR:
        return False
    wide = moves[moves > 1.5 * interval]
    return bool((np.abs(wide / interval - np.round(wide / interval)) < 1e-6).all())


def _returns(
    table: LogTable, x: Numbers, index: NDArray[np.int64], falls: Sequence[int]
) -> tuple[Return, ...]:
    found = []
    for fall in falls[:RETURNS]:
        before, after = float(x[index[fall]]), float(x[index[fall + 1]])
        again = int((x[index[: fall + 1]] >= after).sum())
        found.append(Return(before, after, again, place(table, int(index[fall + 1]))))
    return tuple(found)


def _per_update(table: LogTable, roles: Roles, unit: str, kept: NDArray[np.int64]) -> int:
    """Steps of one update, by the log's own counter of updates."""
    counter, step = roles.get(table, "update"), roles.get(table, "step")
    if unit != "step" or counter is None or step is None:
        return 1
    made, moved = np.diff(counter[kept]), np.diff(step[kept])
    good = (made > 0) & (moved > 0) & np.isfinite(moved) & np.isfinite(made)
    return max(1, round(float(np.median(moved[good] / made[good])))) if good.any() else 1


def _restarts(table: LogTable, roles: Roles, kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows at which the counter of updates begins anew while the steps go on."""
    counter, step = roles.get(table, "update"), roles.get(table, "step")
    if counter is None or step is None:
        return np.empty(0, np.int64)
    anew = np.flatnonzero((np.diff(counter[kept]) < 0) & (np.diff(step[kept]) > 0))
    return np.asarray(kept[anew + 1])


def _resumed(
    table: LogTable, roles: Roles, x: Numbers, index: NDArray[np.int64], kept: Mask
) -> tuple[int, ...]:
    """Rows of the surviving run that follow a step back, or a counter that begins anew."""
    back = index[np.flatnonzero(np.diff(x[index]) < 0) + 1]
    anew = _restarts(table, roles, index[kept[index]])
    first = index[kept[index]][:1]
    return tuple(int(r) for r in np.union1d(back, anew) if kept[r] and r not in first)
