"""Values that were logged one by one, ``(name, step, time, value)``, as rows by step."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from shindan.core.reason import Reason
from shindan.logs.rows import dense
from shindan.logs.table import LogTable


class Series:
    """Values in the order they were logged.

    Values of several names at one step are one row. A name that comes again at a step (a resumed
    run, a run that counts no steps) begins a row of its own, so nothing is overwritten.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], int] = {}
        self._steps: list[int] = []
        self._times: list[float] = []
        self._seen: Counter[tuple[str, int]] = Counter()
        self._columns: dict[str, tuple[list[int], list[float]]] = {}

    def add(self, name: str, step: int, time: float, value: float) -> None:
        """One value; ``time`` in seconds since 1970."""
        again = self._seen[name, step]
        self._seen[name, step] += 1
        row = self._rows.setdefault((again, step), len(self._steps))
        if row == len(self._steps):
            self._steps.append(step)
            self._times.append(time)
        self._times[row] = min(self._times[row], time)
        rows, values = self._columns.setdefault(name, ([], []))
        rows.append(row)
        values.append(value)

    def table(
        self,
        path: Path,
        form: str,
        name: str,
        settings: Mapping[str, object],
        lost: tuple[Reason, ...],
    ) -> LogTable | None:
        """Rows in order of time, then of steps; with columns ``step`` and ``timestamp``."""
        size = len(self._steps)
        if not size:
            return None
        steps, times = np.array(self._steps, np.float64), np.array(self._times, np.float64)
        order = np.lexsort((steps, times))
        columns = {"step": steps[order], "timestamp": times[order]}
        everywhere = np.ones(size, np.bool_)
        present = {"step": everywhere, "timestamp": everywhere}
        for key, (rows, values) in self._columns.items():
            key = f"{key} (value)" if key in ("step", "timestamp") else key
            column, there = dense(rows, values, size)
            columns[key], present[key] = column[order], there[order]
        return LogTable(path, form, name, columns, present, {}, None, dict(settings), lost)
