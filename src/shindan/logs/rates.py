"""The learning rate a log shows."""

import re
from collections.abc import Iterator

import numpy as np

from shindan.core.evidence.logs import LogRates, RateAtResume
from shindan.core.finding import NOWHERE
from shindan.core.reason import Reason
from shindan.logs.axis import Axis, place
from shindan.logs.leaps import leaps, resets
from shindan.logs.roles import Roles, normal
from shindan.logs.table import LogTable, Numbers

LEAST = 10
ZERO = 1e-5
"""A rate of the peak's that trains nothing any more."""
STRAIGHT = 0.01
SAME = 0.01
"""Relative difference of two rates that are one: a log may mean the update before or after."""
SAMPLE = 1000
"""Rates by whose figures the figures of all are told."""
FIGURES_SAME = 5
"""An evaluation of a training that goes on repeats itself to so many figures once in a hundred
times: neighbouring evaluations differ by some thousandths."""
FIGURES = 1e-3
"""A rate shown in steps coarser than this part of its peak may only look like zero."""


def rates(table: LogTable, roles: Roles, way: Axis) -> LogRates | Reason:
    """A Reason where there are too few rates to judge a schedule by."""
    column = roles.columns.get("lr")
    if column is None:
        return Reason("no-lr-in-log")
    there = table.present[column] & way.kept & np.isfinite(way.x)
    rows = np.flatnonzero(there & np.isfinite(table.columns[column]))
    still = _still(table, roles, way, rows)
    if len(rows) < LEAST and not still:
        return Reason("few-rates-in-log", {"rows": len(rows), "needed": LEAST})
    lr, x = table.columns[column][rows], way.x[rows]
    peak = float(lr.max())
    span = float(x[-1] - x[0]) or 1.0
    tail = _tail(lr, peak) if _fine(lr, peak) else len(lr)
    zero = tail < len(lr)
    compared, differing, row = _against(table, roles, rows)
    used = table.columns[roles.columns["used_lr"]][row] if compared else 0.0
    return LogRates(
        column=column,
        rows=len(rows),
        first=float(lr[0]),
        peak=peak,
        last=float(lr[-1]),
        peak_at=float(x[int(lr.argmax())] - x[0]) / span,
        zero_share=float(x[-1] - x[tail]) / span if zero else 0.0,
        zero_from=float(x[tail]) if zero else 0.0,
        straight=_straight(x, lr),
        compared=compared,
        differing=differing,
        logged=float(table.columns[column][row]) if compared else 0.0,
        used=float(used),
        effective=roles.columns.get("used_lr", "") if compared else "",
        where=place(table, int(rows[tail])) if zero else place(table, row) if compared else NOWHERE,
        resumed=tuple(_at_resumes(table, way, rows, lr)),
        still=still,
    )


def _still(table: LogTable, roles: Roles, way: Axis, rows: np.ndarray) -> int:
    """Evaluations that all show the same number, of FIGURES_SAME figures, while rates are zero.

    At least two of them, with training between; 0 otherwise.
    """
    lr, column = table.columns[roles.columns["lr"]][rows], roles.columns.get("validation")
    if column is None or len(rows) < 2 or lr.any():
        return 0
    at = np.flatnonzero(table.present[column] & way.kept)
    values = table.columns[column][at]
    if len(values) < 2 or not (values == values[0]).all():
        return 0
    digits = f"{abs(values[0]):.12g}".replace(".", "").lstrip("0")
    between = bool(((rows > at[0]) & (rows < at[-1])).any())
    return len(values) if between and len(digits) >= FIGURES_SAME else 0


def leapt(table: LogTable, roles: Roles, way: Axis) -> list[int]:
    """The rows at which the learning rate leaps up after a decay."""
    column = roles.columns.get("lr")
    if column is None:
        return []
    lr = table.columns[column]
    rows = np.flatnonzero(table.present[column] & way.kept & np.isfinite(way.x) & np.isfinite(lr))
    return [int(rows[i]) for i in leaps(lr[rows])]


def _at_resumes(
    table: LogTable, way: Axis, rows: np.ndarray, lr: Numbers
) -> Iterator[RateAtResume]:
    told = {int(np.searchsorted(rows, row)): row for row in way.resumed}
    alone = {at: int(rows[at]) for at in resets(lr) if at not in told}
    for at, row in sorted({**told, **alone}.items()):
        if 0 < at < len(rows):
            before, after = float(lr[at - 1]), float(lr[at])
            yield RateAtResume(float(way.x[rows[at]]), before, after, place(table, row), at in told)


def _tail(lr: Numbers, peak: float) -> int:
    """The first row from which the rate is zero to the end; the number of rows when it is not."""
    alive = np.flatnonzero(lr > ZERO * peak)
    return int(alive[-1]) + 1 if len(alive) else len(lr)


def _fine(lr: Numbers, peak: float) -> bool:
    """Whether the log shows figures enough to tell zero from small.

    Rates cut to few figures repeat themselves; those of a schedule that moves do not.
    """
    if peak <= 0:
        return False
    lr = lr[:: max(1, len(lr) // SAMPLE)]
    alive = lr[lr > 0]
    if len(np.unique(alive)) > 0.5 * len(alive):
        return True
    for digits in range(1, 13):
        if np.allclose(lr, np.round(lr, digits), rtol=0, atol=1e-3 * 10.0**-digits):
            return bool(10.0**-digits <= FIGURES * peak)
    return True


def _straight(x: Numbers, lr: Numbers) -> bool:
    """Does the rate rise by equal amounts, to the last row?"""
    moves = np.diff(x)
    if not (moves > 0).all():
        return False
    slopes, mean = np.diff(lr) / moves, float(lr[-1] - lr[0]) / float(x[-1] - x[0])
    return bool(mean > 0 and (np.abs(slopes - mean) <= STRAIGHT * mean).all())


def _against(table: LogTable, roles: Roles, rows: np.ndarray) -> tuple[int, int, int]:
    """Rows with both rates, those in which they differ, and the last such row (or the first).

    Of an optimizer with several groups, the log may mean any.
    """
    effective = roles.columns.get("used_lr")
    if effective is None:
        return 0, 0, 0
    used, logged = table.columns[effective][rows], table.columns[roles.columns["lr"]][rows]
    both = np.isfinite(used) & np.isfinite(logged)
    if not both.any():
        return 0, 0, 0
    apart = both
    for column in _groups(table, effective):
        rate = table.columns[column][rows]
        apart = apart & ~(np.abs(rate - logged) <= SAME * np.maximum(np.abs(rate), np.abs(logged)))
    row = np.flatnonzero(apart)[-1] if apart.any() else np.flatnonzero(both)[0]
    return int(both.sum()), int(apart.sum()), int(rows[row])


def _groups(table: LogTable, first: str) -> list[str]:
    """``optimizer_lrs.0``, ``optimizer_lrs.1`` ... of one of them; of another column itself."""
    numbered = re.sub(r"(?<=_)0$", r"\\d+", normal(first))
    return [c for c in table.columns if re.fullmatch(numbered, normal(c))]
