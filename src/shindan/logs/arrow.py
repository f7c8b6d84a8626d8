"""Columns from Arrow tables: no Python object per row, for logs of millions of rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shindan.core.reason import Reason
from shindan.logs.growing import Growing, Present, Values
from shindan.logs.numerals import DATE, PLAIN, moment
from shindan.logs.rows import LIST, Rows
from shindan.logs.table import LogTable, Numbers

_IS_NUMBER = rf"^\s*(?:{PLAIN})\s*%?\s*$"
_IS_DATE = rf"^\s*{DATE}\s*$"


class Words(Sequence[str | None]):
    """A column of words kept by Arrow; read like a tuple."""

    def __init__(self, kept: Any) -> None:
        self._kept = kept

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, at: int) -> str | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str | None]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str | None] | None:
        if isinstance(at, slice):
            return tuple(self._kept.take(np.arange(len(self))[at]).to_pylist())
        word: str | None = self._kept[at].as_py()
        return word

    def __iter__(self) -> Iterator[str | None]:
        for chunk in self._kept.chunks:
            yield from chunk.to_pylist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class Stack:
    """Blocks of rows, one under the other, each with the columns that it has.

    ``expected`` rows will come, if that is known (any time before a column's first block).
    """

    def __init__(self) -> None:
        self.size = 0
        self.expected = 0
        self._numbers: dict[str, Growing] = {}
        self._words: dict[str, list[tuple[int, Any]]] = {}

    def arrow(self, table: Any) -> None:
        """A block of an Arrow table."""
        for name, column in _flattened(table):
            self._column(name, column)
        self.size += table.num_rows

    def numbers(self, columns: Mapping[str, tuple[Numbers, Present]], size: int) -> None:
        """A block of columns, each ``[size]``."""
        for name, (values, present) in columns.items():
            self._put(name, self.size, values, present)
        self.size += size

    def rows(self, gathered: Rows) -> None:
        """A block that was read row by row."""
        table = gathered.table(Path(), "")
        for name, words in table.words.items():
            self._words.setdefault(name, []).append((self.size, pa.array(words, pa.string())))
        size = len(table)
        self.numbers({n: (v, table.present[n]) for n, v in table.columns.items()}, size)

    def table(
        self,
        path: Path,
        form: str,
        name: str,
        settings: Mapping[str, object],
        lost: Iterable[Reason],
    ) -> LogTable:
        """All blocks as one table; the stack is empty afterwards."""
        columns, present = {}, {}
        for key in list(self._numbers):
            columns[key], present[key] = self._numbers.pop(key).whole(self.size)
        words = {key: Words(self._long(blocks)) for key, blocks in self._words.items()}
        return LogTable(path, form, name, columns, present, words, None, settings, tuple(lost))

    def _long(self, blocks: list[tuple[int, Any]]) -> Any:
        parts, at = [], 0
        for start, words in blocks:
            if start < at:  # the same name twice in a block: the first stays
                continue
            parts += [pa.nulls(start - at, pa.string()), *_chunks(words)]
            at = start + len(words)
        return pa.chunked_array([*parts, pa.nulls(self.size - at, pa.string())], pa.string())

    def _column(self, name: str, column: Any) -> None:
        kind = column.type
        if pa.types.is_null(kind):
            return
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            self._text(name, column)
        elif pa.types.is_list(kind):
            self._list(name, column)
        elif _is_numeric(kind):
            self._add(name, column)
        else:
            self._words.setdefault(name, []).append((self.size, column.cast(pa.string())))

    def _add(self, name: str, column: Any) -> None:
        at = self.size
        for chunk in _chunks(column):
            self._put(name, at, *_as_numbers(chunk))
            at += len(chunk)

    def _put(self, name: str, at: int, values: Values, there: Present | None) -> None:
        if name not in self._numbers:
            self._numbers[name] = Growing(self.expected)
        self._numbers[name].put(at, values, there)

    def _text(self, name: str, column: Any) -> None:
        """Words; those that are numbers become numbers, and dates where all are dates."""
        is_number = pc.match_substring_regex(column, _IS_NUMBER)
        if pc.any(is_number).as_py():
            digits = pc.if_else(is_number, column, pa.scalar(None, column.type))
            digits = pc.replace_substring_regex(digits, r"[\s,%]", "")
            self._add(name, digits.cast(pa.float64()))
            column = pc.if_else(is_number, pa.scalar(None, column.type), column)
        elif pc.all(pc.match_substring_regex(column, _IS_DATE)).as_py():
            coded = column.combine_chunks().dictionary_encode()
            moments = [moment(word) for word in coded.dictionary.to_pylist()]
            values = pa.array(moments, pa.float64()).take(coded.indices)
            self._add(name, values)
            return
        if column.null_count < len(column):
            self._words.setdefault(name, []).append((self.size, column.cast(pa.string())))

    def _list(self, name: str, column: Any) -> None:
        kind = column.type.value_type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            return
        longest = min(pc.max(pc.list_value_length(column)).as_py() or 0, LIST)
        lists = pa.concat_arrays(column.chunks)
        lengths = pc.fill_null(pc.list_value_length(lists), 0)
        for at in range(longest):
            places = pc.add(lists.offsets[:-1], pa.scalar(at, pa.int32()))
            there = pc.if_else(pc.greater(lengths, at), places, pa.scalar(None, pa.int32()))
            self._add(f"{name}.{at}", lists.values.take(there))


def _is_numeric(kind: Any) -> bool:
    tests = (pa.types.is_timestamp, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating)
    return any(test(kind) for test in tests)


def _as_numbers(column: Any) -> tuple[Values, Present | None]:
    """Values with NaN where there is none, and which are there (None: all)."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        column = pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.uint8()).cast(pa.float64())
    elif kind == pa.int64() and not column.null_count:
        whole = np.frombuffer(column.buffers()[1], np.int64, len(column), 8 * column.offset)
        return whole, None  # made floats where they are kept
    else:
        column = column.cast(pa.float64(), safe=False)
    return doubles(column)


def doubles(column: Any) -> tuple[Numbers, Present | None]:
    """A column of doubles out of Arrow's buffers (its own ``to_numpy`` would import pandas).

    Without a null it may be a view of them, not to be written to.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [
        np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset)
        for chunk in chunks
        if len(chunk)
    ]
    if not column.null_count:
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts]), None
    values = np.concatenate(parts)
    present = np.concatenate([truths(pc.is_valid(chunk)) for chunk in chunks])
    values[~present] = np.nan
    return values, present


def truths(chunk: Any) -> Present:
    """An Arrow array of truth values without nulls."""
    bits = np.frombuffer(chunk.buffers()[1], np.uint8)
    whole = np.unpackbits(bits, bitorder="little")
    return whole[chunk.offset : chunk.offset + len(chunk)].astype(np.bool_)


def _flattened(table: Any) -> Iterator[tuple[str, Any]]:
    names: dict[str, int] = {}
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    for index, name in enumerate(table.column_names):
        again = names[name] = names.get(name, -1) + 1
        yield f"{name}.{again}" if again else name, table.column(index)


def _chunks(words: Any) -> list[Any]:
    return words.chunks if isinstance(words, pa.ChunkedArray) else [words]
