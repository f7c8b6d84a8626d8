"""Where the count of a log begins anew: whether another run begins there, or the one goes on."""

import math
from typing import Literal

import numpy as np

from shindan.logs.anew import FIRST, Rows
from shindan.logs.axis import filled
from shindan.logs.judged import loss_of
from shindan.logs.noise import correlation, off_line
from shindan.logs.roles import Roles, counters
from shindan.logs.table import LogTable, Numbers
from shindan.logs.trends import LASTING, LONGEST

SIDE = 20
"""Rows on each side of a beginning whose mean is a level."""
ODDS = 20
"""To one, for each beginning of a log: so many levels decide wrongly by chance once in 20 logs."""
SAME = 0.01
"""Of the peak: two rates that are one; a log shows two figures at least."""
MOVE = 2.0
"""Times the largest move of a rising rate from row to row: one that begins anew leaps farther."""
NEARLY = 0.9
"""Share of a run's losses beside which a column stands that its losses are written with."""

COUNTED = ("step", "update", "epoch", "tokens")
"""Roles of counters."""

Sign = Literal["anew", "on", ""]


class Signs:
    """What tells, where the count begins anew, a run of its own from the one that goes on.

    Another counter goes on: the run does. Another schedule, or other columns beside the loss:
    its own. A loss back at the level at which the run before began, rather than at the one to
    which it had come: its own. Where none of these tells, steps may be of an epoch, and the run
    goes on; an epoch belongs to nothing larger, and another run began.
    """

    def __init__(
        self, table: LogTable, roles: Roles, unit: str, x: Numbers, index: Rows, candidates: int
    ) -> None:
        self.at = x[index]
        self.edges = np.concatenate([[0], np.flatnonzero(np.diff(self.at) < 0) + 1, [len(index)]])
        self.others = [
            np.fmax.accumulate(table.columns[c][index])
            for c in counting(table, roles)
            if c != roles.columns[unit]
        ]
        self.counts = [
            np.add.reduceat(there[index], self.edges[:-1], dtype=np.int64)
            for there in table.present.values()
        ]
        losses = loss_of(table, roles, "loss" if "loss" in roles.columns else "validation")
        y = losses[index] if losses is not None else np.full(len(index), np.nan)
        good = np.isfinite(y)
        self.good = good
        self.y = np.log(y, where=good, out=y.copy()) if (y[good] > 0).all() else y
        sample = self.y[good][:LONGEST]
        self.far, self.near = _spread(sample)
        self.odds = math.log(ODDS * max(1, candidates))
        epoch = x if unit == "epoch" else roles.get(table, "epoch")
        self.epoch = None if epoch is None else filled(epoch)[index]
        rate = roles.get(table, "lr" if "lr" in roles.columns else "used_lr")
        self.rate = None if rate is None else rate[index]

    def own(self, first: int, at: int) -> bool:
        """Whether a run begins at ``at``, where the one before began at ``first``."""
        if any(seen[at] > seen[at - 1] for seen in self.others):
            return False
        edge = int(np.searchsorted(self.edges, at))
        begin, end = max(first, int(self.edges[edge - 1])), int(self.edges[edge + 1])
        if self._columns(edge):
            return True
        later = float(self.at[at] - self.at[first])
        opening = np.diff(self.at[first : self._end(first)])
        if 0 < later <= FIRST * float(np.median(opening) if len(opening) else 0):
            # a run can be resumed after its very first row: to what it then was
            return self._loss(first, at, at - begin, end, back=True) > self.odds
        rate = self._rate(first, begin, at, end)
        if rate:
            return rate == "anew"
        if self.epoch is not None and self.epoch[at] < self.epoch[at - 1] and later <= 0:
            return not self._loss(first, at, at - begin, end, neither=True) < -self.odds
        return self._loss(first, at, at - begin, end) > self.odds

    def _loss(
        self, first: int, at: int, before: int, end: int, back: bool = False, neither: bool = False
    ) -> float:
        """Log of the odds that the losses from ``at`` on begin where those from ``first`` on did,
        not where the ``before`` last ones ended: by the likelihood of both differences, of as many
        losses as tell the two levels apart best. NaN where nothing tells.

        ``back``: not where those from ``first`` on were at the same counts. ``neither``: 0 where
        they begin at neither level, as a run with another model does.
        """
        if self.good[at] and not self.good[at - min(before, LASTING) : at].any():
            return math.inf  # weights that are not finite stay so
        most = max(1, min(before // 2, end - at, SIDE))
        same = self._opening(self.y, first, at, most)
        if not len(same):
            return math.nan
        parts = (self.y[first : first + most], same)
        if not back:
            parts = (same, self.y[at - most : at][::-1])
        size = min(map(len, parts))
        start, last, now = (_means(part[:size]) for part in (*parts, self.y[at : at + size]))
        far, near = self.far[:size], self.near[:size]
        k = int(np.argmax(np.nan_to_num(np.abs(start - last) / np.where(near > 0, near, 1.0))))
        on, own = (now - last)[k], (now - start)[k]
        if not far[k] * near[k]:
            return math.inf * float(abs(on) - abs(own))
        away = (on / near[k]) ** 2 / 2, (own / far[k]) ** 2 / 2
        if neither and min(away) > self.odds:
            return 0.0
        return float(away[0] - away[1] + np.log(near[k] / far[k]))

    def _rate(self, first: int, begin: int, at: int, end: int) -> Sign:
        """Whether the rate from ``at`` on is the one from ``first`` on, or rises where it did not
        rise: a schedule begins anew. Or whether it goes on as it went.
        """
        if self.rate is None:
            return ""
        before, new = self.rate[begin:at], self.rate[at : min(end, at + SIDE)]
        before, new = before[np.isfinite(before)], new[np.isfinite(new)]
        old = self._opening(self.rate, first, at, len(new)) if len(new) else new
        if len(before) < 2 or not len(old):
            return ""
        near = SAME * float(max(before.max(), old.max(), new.max()))
        moved = bool((np.abs(old - before[-1]) > near).any())
        if moved and bool((np.abs(new[: len(old)] - old) <= near).all()):
            return "anew"
        last, leap = float(before[-1] - before[-2]), float(new[0] - before[-1])
        move = MOVE * float(np.abs(np.diff(before)).max())
        if leap > (near + move if last > 0 else near):
            return "anew"
        return "on" if moved and abs(leap) <= move and leap * last >= 0 else ""

    def _opening(self, values: Numbers, first: int, at: int, k: int) -> Numbers:
        """The values from ``first`` on, as far as they go, at the counts of the ``k`` rows from
        ``at`` on.
        """
        counts = self.at[at : at + k]
        opening = self.at[first : self._end(first)]
        size = int(np.searchsorted(opening, counts[-1], "right")) + 1
        good = first + np.flatnonzero(np.isfinite(values[first : first + min(size, len(opening))]))
        if not len(good):
            return np.empty(0)
        counts = counts[: max(1, int((counts <= self.at[good[-1]]).sum()))]
        return np.asarray(np.interp(counts, self.at[good], values[good]))

    def _end(self, first: int) -> int:
        """The first fall after a place."""
        return int(self.edges[np.searchsorted(self.edges, first, "right")])

    def _columns(self, edge: int) -> bool:
        """Whether a column stands beside the losses of one stretch and beside none of the other's.

        The stretches are those before and after the fall ``edge``.
        """
        rows = np.diff(self.edges)[[edge - 1, edge]]
        return any(
            min(count[edge - 1] / rows[0], count[edge] / rows[1]) == 0
            and max(count[edge - 1] / rows[0], count[edge] / rows[1]) >= NEARLY
            for count in self.counts
        )


def _means(values: Numbers) -> Numbers:
    """The means of the first one, two ... of the finite values."""
    good = np.isfinite(values)
    count = np.cumsum(good)
    total = np.cumsum(np.where(good, values, 0.0))
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _spread(y: Numbers) -> tuple[Numbers, Numbers]:
    """The sd of the difference of two means of 1, 2 ... SIDE losses: far apart, and one right after
    the other, in AR(1) noise like that of ``y`` (n,) off the line through its neighbours, which has
    the variance sd^2 (1 - rho) (3 - rho) / 2 (see :func:`correlation`).
    """
    rho = correlation(y)
    off = (
        1.5 * off_line(np.arange(len(y), dtype=np.float64), y, np.ones(len(y)))
        if len(y) > 2
        else 0.0
    )
    of_one = 2 * off / ((1 - rho) * (3 - rho))
    k = np.arange(1.0, SIDE + 1)
    # (1 - rho) sums of rho^|i - j| over the k^2 pairs of one mean, and over those of both
    within = (k * (1 + rho) - 2 * rho * (1 - rho**k) / (1 - rho)) / k**2
    across = rho * (1 - rho**k) ** 2 / (1 - rho) / k**2
    mean, both = of_one * within / (1 - rho), of_one * across / (1 - rho)
    return np.sqrt(2 * mean), np.sqrt(2 * np.maximum(mean - both, 0.0))


def counting(table: LogTable, roles: Roles) -> list[str]:
    """The columns that count anything."""
    found = {*counters(table), *(roles.columns.get(r, "") for r in COUNTED)}
    return sorted(found - {""})
