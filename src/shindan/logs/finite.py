"""Numbers of a log that are not finite, and losses that hide such."""

import numpy as np

from shindan.core.evidence.logs import Hidden, LogFinite, NotFinite
from shindan.core.reason import Reason
from shindan.logs.axis import Axis, place
from shindan.logs.roles import Roles
from shindan.logs.table import LogTable, Numbers

ROLES = ("loss", "validation", "grad_norm", "raw_norm", "lr")
ZEROS = 3
"""Zeros in a row at the end of a log."""
ABRUPT = 0.01
"""A loss that came down to zero passes below this first; logs show four figures or more."""
REPEATS = 5
DISTINCT = 0.9
"""Share of different values from which a log has figures enough that repeats are no rounding."""


def finite(table: LogTable, roles: Roles, way: Axis) -> LogFinite | Reason:
    """All of it; a Reason where the log has none of these columns."""
    there = [r for r in ROLES if r in roles.columns]
    if not there:
        return Reason("no-loss-in-log")
    broken = [b for role in there if (b := _broken(table, roles, way, role))]
    rows = _rows(table, roles, way, "loss") if "loss" in roles.columns else np.array([], int)
    values = table.columns[roles.columns["loss"]][rows] if len(rows) else np.array([])
    same = len(values) > 1 and np.isfinite(values).all() and values.min() == values.max()
    return LogFinite(
        tuple(broken),
        _hidden(table, roles, way),
        len(values),
        float(values[0]) if same else None,
        roles.columns.get("loss", ""),
    )


def _rows(table: LogTable, roles: Roles, way: Axis, role: str) -> np.ndarray:
    return np.flatnonzero(table.present[roles.columns[role]] & way.kept)


def _broken(table: LogTable, roles: Roles, way: Axis, role: str) -> NotFinite | None:
    column = roles.columns[role]
    rows = _rows(table, roles, way, role)
    bad = ~np.isfinite(table.columns[column][rows])
    if not bad.any():
        return None
    first = int(rows[int(np.argmax(bad))])
    lasting = int(np.argmin(bad[::-1])) if not bad.all() else len(bad)
    return NotFinite(
        role, column, int(bad.sum()), len(rows), lasting, float(way.x[first]), place(table, first)
    )


def _hidden(table: LogTable, roles: Roles, way: Axis) -> tuple[Hidden, ...]:
    """The stretch at the end in which the loss stands still, at most one."""
    if "loss" not in roles.columns:
        return ()
    column = roles.columns["loss"]
    rows = _rows(table, roles, way, "loss")
    values = table.columns[column][rows]
    if len(values) < 2 or not np.isfinite(values).all():
        return ()
    count = _same_at_end(values)
    if count == len(values):
        return ()  # constant from the beginning: another matter
    before = float(values[-count - 1])
    zero = values[-1] == 0.0
    if zero and (count < ZEROS or min(before, values[: len(values) - count].min()) < ABRUPT):
        return ()
    if not zero and (count < REPEATS or not _fine(values[: len(values) - count])):
        return ()
    first = int(rows[-count])
    norms = _norms(table, roles, rows[-count:])
    if zero and norms == "finite":
        return ()  # gradients flow: this loss is zero for a reason of its own
    found = Hidden(
        "zero" if zero else "frozen", column, float(way.x[first]), count, before, norms,
        place(table, first),
    )  # fmt: skip
    return (found,)


def _same_at_end(values: Numbers) -> int:
    """How many last values are the very same."""
    other = np.flatnonzero(values != values[-1])
    return len(values) - (int(other[-1]) + 1 if len(other) else 0)


def _fine(values: Numbers) -> bool:
    return len(values) >= 10 and len(np.unique(values)) >= DISTINCT * len(values)


def _norms(table: LogTable, roles: Roles, rows: np.ndarray) -> str:
    column = roles.columns.get("grad_norm")
    if column is None or not table.present[column][rows].any():
        return "unknown"
    norms = table.columns[column][rows][table.present[column][rows]]
    if not np.isfinite(norms).any():
        return "nonfinite"
    return "zero" if not norms[np.isfinite(norms)].any() else "finite"
