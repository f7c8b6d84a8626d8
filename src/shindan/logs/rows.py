"""Rows gathered one by one into a LogTable: for logs that are small enough to be objects."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from shindan.core.reason import Reason
from shindan.logs.numerals import as_float, moment, number
from shindan.logs.records import Columns
from shindan.logs.table import LogTable

LIST = 16
"""Lists up to this length are columns ``name.0`` ...; longer ones are data, not a log."""
CELLS = 100_000_000
"""Rows times columns of a table; of a wider one the fullest columns are kept."""
_DEPTH = 32


class Sparse:
    """The values of one column that are there."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.values = array("d")
        self.words: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.rows) + len(self.words)

    def settle(self) -> None:
        """Words that are numbers become numbers, and dates where all are dates."""
        numbers = {row: number(word) for row, word in self.words.items()}
        moments = {row: moment(word) for row, word in self.words.items()}
        found = moments if all(value is not None for value in moments.values()) else numbers
        for row, value in found.items():
            if value is not None:
                self.rows.append(row)
                self.values.append(value)
                del self.words[row]


class Rows:
    """Records in the order of the file. ``left_out`` counts long lists that no column can hold."""

    def __init__(self) -> None:
        self.columns: dict[str, Sparse] = {}
        self.lines = array("q")
        self.left_out = 0

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, record: Mapping[str, object], line: int | None = None) -> None:
        """One row: numbers, words, and what is nested in it, flat."""
        row = len(self.lines)
        self.lines.append(row + 1 if line is None else line)
        for name, value in self._flat(record, "", 0):
            column = self.columns.setdefault(name, Sparse())
            if isinstance(value, str):
                column.words[row] = value
            elif not column.rows or column.rows[-1] != row:
                column.rows.append(row)
                column.values.append(value)

    def extend(self, records: Sequence[Mapping[str, object]]) -> None:
        """Rows, column by column where they hold nothing but numbers and words."""
        before = len(self)
        columns = records.columns if isinstance(records, Columns) else _turned(records)
        plain = {name: _plain(values) for name, values in columns.items()}
        if before or not all(plain.values()):
            for record in records:
                self.add(record)
            return
        self.lines.extend(range(1, len(records) + 1))
        for name, found in plain.items():
            column = self.columns[name] = Sparse()
            if found:
                column.rows, column.values, column.words = found

    def _flat(self, value: object, name: str, depth: int) -> Iterator[tuple[str, float | str]]:
        found = as_float(value)
        if found is not None:
            yield name, found
        elif isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping | list) and depth < _DEPTH:
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            if isinstance(value, list) and len(value) > LIST:
                self.left_out += 1
                return
            for key, inner in items:
                yield from self._flat(inner, f"{name}.{key}" if name else str(key), depth + 1)

    def table(
        self,
        path: Path,
        form: str,
        *,
        name: str | None = None,
        settings: Mapping[str, object] | None = None,
        lost: Iterable[Reason] = (),
        numbered: bool = True,
    ) -> LogTable:
        """The table; ``numbered``: the lines or record numbers mean something."""
        said = [*lost]
        if self.left_out:
            said.append(Reason("log-lists-left-out", {"count": self.left_out}))
        for column in self.columns.values():
            column.settle()
        kept = self._kept(said)
        size = len(self) if kept else 0
        numbers = {key: dense(c.rows, c.values, size) for key, c in kept.items() if len(c.rows)}
        return LogTable(
            path,
            form,
            path.name if name is None else name,
            {key: values for key, (values, _) in numbers.items()},
            {key: present for key, (_, present) in numbers.items()},
            {key: tuple(map(c.words.get, range(size))) for key, c in kept.items() if c.words},
            np.array(self.lines[:size], dtype=np.int64) if numbered else None,
            dict(settings or {}),
            tuple(said),
        )

    def _kept(self, said: list[Reason]) -> dict[str, Sparse]:
        most = max(CELLS // max(len(self), 1), 1)
        if len(self.columns) <= most:
            return self.columns
        fullest = set(sorted(self.columns, key=lambda c: -len(self.columns[c]))[:most])
        said.append(Reason("log-columns-left-out", {"count": len(self.columns) - most}))
        return {name: column for name, column in self.columns.items() if name in fullest}


_ABSENT = object()
_Plain = tuple["array[int]", "array[float]", dict[int, str]]


def _turned(records: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    """Records as columns."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name, _ABSENT) for record in records] for name in names}


def _plain(values: Sequence[object]) -> _Plain | None:
    """Rows and values of the numbers, and words by row; None where there is anything else."""
    kinds = set(map(type, values)) - {type(None), type(_ABSENT)}
    if not kinds <= {int, float, bool, str}:
        return None
    words = {row: v for row, v in enumerate(values) if isinstance(v, str)} if str in kinds else {}
    try:
        numbers = {row: v for row, v in enumerate(values) if isinstance(v, int | float)}
        return array("q", numbers), array("d", numbers.values()), words
    except OverflowError:
        return None


def dense(
    rows: Sequence[int], values: Sequence[float], size: int
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]
]:
    """The column and its presence of values at rows; both ``[size]``."""
    column = np.full(size, np.nan)
    present = np.zeros(size, dtype=np.bool_)
    at = np.asarray(rows, dtype=np.int64)
    column[at] = np.asarray(values, dtype=np.float64)
    present[at] = True
    return column, present
