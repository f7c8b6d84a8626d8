"""A log that holds several runs, one after another: where each begins, and a table for each.

A run counts through. Where its count falls back into what is behind it, it was resumed. Where the
count falls to the beginning of all counting, either a run of its own begins, or the count is of an
epoch and the one run goes on; what else the rows say decides (:class:`_Signs`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shindan.logs.anew import FIRST, Rows, begun, falls_at
from shindan.logs.axis import place, positions
from shindan.logs.judged import loss_of
from shindan.logs.few import LEAST
from shindan.logs.noise import correlation
from shindan.logs.roles import Roles, counters, infer
from shindan.logs.table import LogTable, Numbers
from shindan.logs.trends import LONGEST, noise

MOST = 1000
"""Beginnings in one log; with more of them the count is of an epoch."""
SIDE = 20
"""Rows on each side of a beginning whose mean is a level."""
ODDS = math.log(19)
"""Log of the odds at which a level decides: 95 of 100."""
SAME = 0.01
"""Of the peak: two rates that are one; a log shows two figures at least."""
MOVE = 2.0
"""Times the largest move of a schedule from row to row; it jumps farther where it begins anew."""
NEARLY = 0.9
"""Share of a run's losses beside which a column stands that its losses are written with."""

Sign = Literal["anew", "on", ""]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a log: its rows, its ``number`` (from 1) in the log, its first line there.

    ``losses`` are its finite losses, or those of its evaluations where they are more.
    """

    table: LogTable
    number: int
    losses: int
    line: int | None = None

    @property
    def short(self) -> bool:
        """Whether it has fewer losses than anything can be said of."""
        return self.losses < LEAST

    @property
    def name(self) -> str:
        """What it is called beside the others of its log."""
        return f"{self.table.name} #{self.number}"


def runs(table: LogTable, asked: Mapping[str, str] | None = None) -> tuple[Run, ...]:
    """The runs of a log, in its order; ``asked`` are columns by role.

    A table of the only run is the log's own. Settings that stand before the first run are those of
    the runs that are written with the same columns and begin with the same rate.
    """
    roles = infer(table, asked)
    column = roles.columns.get("loss") or roles.columns.get("validation")
    cuts = [] if column is None else _cuts(table, roles, column)
    if not cuts:
        return (Run(table, 1, _losses(table, roles)),)
    edges = [0, *cuts, len(table)]
    made = [_part(table, a, b) for a, b in zip(edges, edges[1:], strict=False)]
    return tuple(
        Run(
            replace(
                part,
                settings=table.settings if _alike(made[0], part, roles) else _units(table),
                lost=table.lost if number == 1 else (),
            ),
            number,
            _losses(part, roles),
            place(table, edges[number - 1]).line,
        )
        for number, part in enumerate(made, 1)
    )


def long_enough(found: Sequence[Run]) -> tuple[Run, ...]:
    """The runs of which something can be said; the longest where there is none."""
    return tuple(r for r in found if not r.short) or (max(found, key=lambda r: r.losses),)


def apart(table: LogTable, asked: Mapping[str, str] | None = None) -> tuple[LogTable, ...]:
    """A table for each run of a log that is long enough, under a name of its own."""
    found = long_enough(runs(table, asked))
    return tuple(r.table if len(found) == 1 else replace(r.table, name=r.name) for r in found)


def _cuts(table: LogTable, roles: Roles, column: str) -> list[int]:
    """The rows at which another run begins."""
    unit, x = positions(table, roles)
    index = np.flatnonzero(table.present[column] & np.isfinite(x))
    if unit == "row" or len(index) < 2:
        return []
    candidates = begun(x[index])
    if not 0 < len(candidates) <= MOST:
        return []
    signs = _Signs(table, roles, unit, x, index)
    first, cuts = 0, []
    for at in candidates.tolist():
        if signs.own(first, at):
            cuts.append(falls_at(x, int(index[at - 1]), int(index[at])))
            first = at
    return cuts


class _Signs:
    """What tells, where the count begins anew, a run of its own from the one that goes on.

    Another counter goes on: the run does. Another schedule, or other columns beside the loss:
    its own. A loss back at the level at which the run before began, rather than at the one to
    which it had come: its own. Where none of these tells, an epoch belongs to nothing larger, so
    a run began; steps may be of an epoch.
    """

    def __init__(
        self, table: LogTable, roles: Roles, unit: str, x: Numbers, index: Rows
    ) -> None:
        self.table, self.index, self.at, self.unit = table, index, x[index], unit
        self.edges = np.concatenate([[0], np.flatnonzero(np.diff(self.at) < 0) + 1, [len(index)]])
        self.others = [
            np.fmax.accumulate(table.columns[c][index]) for c in _others(table, roles, unit)
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
        self.rho = correlation(sample)
        self.sd = noise(sample) / math.sqrt(1 - self.rho) if len(sample) > 1 else 0.0
        self.rate = table.columns.get(roles.columns.get("lr") or roles.columns.get("used_lr", ""))

    def own(self, first: int, at: int) -> bool:
        """Whether a run begins at ``at``, where the one before began at ``first``."""
        if any(seen[at] > seen[at - 1] for seen in self.others):
            return False
        edge = int(np.searchsorted(self.edges, at))
        begin, end = max(first, int(self.edges[edge - 1])), int(self.edges[edge + 1])
        loss = self._loss(first, begin, at, end)
        columns = self._columns(edge)
        later = float(self.at[at] - self.at[first])
        opening = np.diff(self.at[first : self._end(first)])
        if columns or 0 < later <= FIRST * float(np.median(opening) if len(opening) else 0):
            return columns or loss == "anew"  # a run can be resumed after its very first row
        rate = self._rate(first, begin, at, end)
        if rate == "anew":
            return True
        if rate == "on" or loss == "on":
            return False
        return loss == "anew" or (self.unit == "epoch" and later <= 0)

    def _loss(self, first: int, begin: int, at: int, end: int) -> Sign:
        """Whether the losses from ``at`` on are at the level of those from ``first`` on at the
        same counts, or of those before ``at``: by the likelihood under the noise of such means.
        """
        if self.good[at] and not self.good[at - 1]:
            return "anew"  # weights that are not finite stay so
        k = max(1, min((at - begin) // 2, end - at, SIDE))
        parts = (self._opening(self.y, first, at, k), self.y[at - k : at], self.y[at : at + k])
        parts = tuple(part[np.isfinite(part)] for part in parts)
        if not all(map(len, parts)):
            return ""
        start, last, now = (float(part.mean()) for part in parts)
        # a mean of k values of AR(1) noise
        wide = self.sd**2 * min(1.0, (1 + self.rho) / ((1 - self.rho) * k))
        nearer = (now - last) ** 2 - (now - start) ** 2
        if abs(nearer) <= 4 * wide * ODDS:
            return ""
        return "anew" if nearer > 0 else "on"

    def _rate(self, first: int, begin: int, at: int, end: int) -> Sign:
        """Whether the rate from ``at`` on is the schedule's from ``first`` on, or a leap above the
        last; or follows from the last.
        """
        if self.rate is None:
            return ""
        rates = self.rate[self.index]
        before, new = (p[np.isfinite(p)] for p in (rates[begin:at], rates[at : min(end, at + SIDE)]))
        old = self._opening(rates, first, at, len(new))
        if not len(before) or not len(old):
            return ""
        near = SAME * float(max(before.max(), old.max(), new.max()))
        moved = bool((np.abs(old - before[-1]) > near).any())
        if moved and bool((np.abs(new[: len(old)] - old) <= near).all()):
            return "anew"
        leap = float(new[0] - before[-1])
        move = MOVE * float(np.abs(np.diff(before)).max(initial=0.0))
        if leap > move + near:
            return "anew"
        return "on" if moved and abs(leap) <= move else ""

    def _opening(self, values: Numbers, first: int, at: int, k: int) -> Numbers:
        """The values from ``first`` on, as far as they go, at the counts of the ``k`` rows from
        ``at`` on.
        """
        good = first + np.flatnonzero(np.isfinite(values[first : self._end(first)]))
        if not len(good):
            return np.empty(0)
        counts = self.at[at : at + k]
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


def _others(table: LogTable, roles: Roles, unit: str) -> list[str]:
    """The counters beside the one that the rows are counted by."""
    found = {*counters(table), *(roles.columns.get(r, "") for r in ("update", "epoch", "tokens"))}
    return sorted(found - {"", roles.columns[unit]})


def _part(table: LogTable, start: int, stop: int) -> LogTable:
    """The rows from ``start`` to ``stop`` (exclusive), with the columns that have a value there."""
    rows = slice(start, stop)
    present = {n: p[rows] for n, p in table.present.items() if p[rows].any()}
    words = {name: tuple(values[rows]) for name, values in table.words.items()}
    return replace(
        table,
        columns={name: table.columns[name][rows] for name in present},
        present=present,
        words={name: values for name, values in words.items() if any(values)},
        lines=None if table.lines is None else table.lines[rows],
    )


def _alike(one: LogTable, other: LogTable, roles: Roles) -> bool:
    """Whether two runs may have the same settings: by their columns and their first rates."""
    column = roles.columns.get("lr", "")
    first = [t.columns[column][t.present[column]][:1] for t in (one, other) if column in t.columns]
    loss = roles.columns.get("loss", "")
    return (
        (loss in one.columns) == (loss in other.columns)
        and len(first) != 1
        and (not first or bool(np.allclose(first[0], first[1], rtol=SAME)))
    )


def _units(table: LogTable) -> dict[str, object]:
    return {name: value for name, value in table.settings.items() if name.startswith("units.")}


def _losses(table: LogTable, roles: Roles) -> int:
    """Finite losses of the training or of evaluations; rows where the log has neither."""
    columns = {roles.columns.get(role, "") for role in ("loss", "validation")} - {""}
    if not columns:
        return len(table)
    return max(
        int(np.isfinite(table.columns[c]).sum()) if c in table.columns else 0 for c in columns
    )
