"""A log that holds several runs, one after another: where each begins, and a table for each.

A run counts through. Where its count falls back into what is behind it, it was resumed. Where the
count falls to the beginning of all counting, either a run of its own begins, or the count is of an
epoch and the one run goes on; what else the rows say decides (``logs/signs.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shindan.logs.anew import begun, falls_at
from shindan.logs.axis import place, positions
from shindan.logs.few import LEAST
from shindan.logs.records import is_measure
from shindan.logs.roles import Roles, infer
from shindan.logs.signs import COUNTED, SAME, Signs, counting
from shindan.logs.table import LogTable

MOST = 1000
"""Beginnings in one log; with more of them the count is of an epoch."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a log: its rows, its ``number`` (from 1) in the log, its first line there.

    ``losses`` are its finite losses, or those of its evaluations where they are more; ``roles``
    those of its columns, where they are the whole log's.
    """

    table: LogTable
    number: int
    losses: int
    line: int | None = None
    roles: Roles | None = None

    @property
    def short(self) -> bool:
        """Whether it has fewer losses than anything can be said of."""
        return self.losses < LEAST

    @property
    def name(self) -> str:
        """What it is called beside the others of its log."""
        return f"{self.table.name} #{self.number}"


@np.errstate(all="ignore")
def runs(table: LogTable, asked: Mapping[str, str] | None = None) -> tuple[Run, ...]:
    """The runs of a log, in its order; ``asked`` are columns by role.

    A table of the only run is the log's own. Rows between two runs that no counter places belong to
    neither: an evaluation there may be the last of the one or the first of the other, unless it is
    of a measure of its own, with which no run of the log begins (:func:`_closed`). Settings that
    stand before the first run are those of the runs that are written with the same columns and
    begin with the same rate.
    """
    roles = infer(table, asked)
    column = roles.columns.get("loss") or roles.columns.get("validation")
    cuts = [] if column is None or not _falls(table, roles) else _cuts(table, roles, column)
    if not cuts:
        return (Run(table, 1, _losses(table, roles), roles=roles),)
    starts, ends = [0, *(start for _, start in cuts)], [*(end for end, _ in cuts), len(table)]
    made = [_part(table, a, b) for a, b in zip(starts, ends, strict=True)]
    return tuple(
        Run(
            replace(
                part,
                settings=table.settings if _alike(made[0], part, roles) else _units(table),
            ),
            number,
            _losses(part, roles),
            place(table, starts[number - 1]).line,
        )
        for number, part in enumerate(made, 1)
    )


def long_enough(found: Sequence[Run]) -> tuple[Run, ...]:
    """The runs of which something can be said; the longest where there is none."""
    return tuple(r for r in found if not r.short) or (max(found, key=lambda r: r.losses),)


def apart(table: LogTable, asked: Mapping[str, str] | None = None) -> tuple[LogTable, ...]:
    """A table for each run of a log that is long enough, under a name of its own; what could not
    be read of the log is said with the first.
    """
    found = long_enough(runs(table, asked))
    if len(found) == 1:
        return (found[0].table,)
    first, *others = (replace(r.table, name=r.name) for r in found)
    return (first, *(replace(other, lost=()) for other in others))


def _falls(table: LogTable, roles: Roles) -> bool:
    """Whether any counter ever falls."""
    values = (roles.get(table, role) for role in COUNTED)
    return any(bool((np.diff(v[np.isfinite(v)]) < 0).any()) for v in values if v is not None)


def _cuts(table: LogTable, roles: Roles, column: str) -> list[tuple[int, int]]:
    """Where one run ends (the row after its last) and the row at which the next begins."""
    unit, x = positions(table, roles)
    index = np.flatnonzero(table.present[column] & np.isfinite(x))
    if unit == "row" or len(index) < 2:
        return []
    candidates = begun(x[index])
    if not 0 < len(candidates) <= MOST:
        return []
    signs = Signs(table, roles, unit, x, index, len(candidates))
    first, cuts = 0, []
    counted = np.logical_or.reduce([table.present[c] for c in counting(table, roles)])
    for at in candidates.tolist():
        if signs.own(first, at):
            last = int(index[at - 1])
            start = falls_at(x, last, int(index[at]))
            placed = last + int(np.flatnonzero(counted[last:start]).max(initial=0))
            # where the count stands in headings, rows belong to the one above
            end = _closed(table, roles, placed + 1, start) if counted[last] else start
            cuts.append((end, start))
            first = at
    return cuts


def _closed(table: LogTable, roles: Roles, end: int, start: int) -> int:
    """The row after the last of a run that ended before ``end``, where the next one begins at
    ``start``: with the measures between them that are neither the loss nor the validation, if the
    first run of the log does not open with them.
    """
    losses = {roles.columns.get("loss", ""), roles.columns.get("validation", "")} - {""}
    first = min(int(np.argmax(table.present[c])) for c in losses)
    closed = end
    for name, there in table.present.items():
        between = np.flatnonzero(there[end:start])
        if not len(between) or not is_measure(name):
            continue
        if name in losses or there[:first].any():
            return end
        closed = max(closed, end + int(between[-1]) + 1)
    return closed


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
