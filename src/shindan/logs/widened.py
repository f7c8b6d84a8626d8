"""Long tables, a value a row, made wide: ``run, metric, value, step`` as MLflow and others export.

``metric,value,step`` -> a row a step with a column a metric; a table for each run.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shindan.logs.parted import EVALUATION, PARTS, TRAINING
from shindan.logs.records import is_measure
from shindan.logs.roles import counters, normal
from shindan.logs.table import LogTable, Numbers

_NAME = r"(?:metric|measure|scalar)(?:_?name|_key|_tag)?|name|key|tag|variable|series"
_VALUE = r"(?:metric|measure|scalar)?_?values?|val"
_RUN = r"(?:run|experiment|trial|job)(?:_?(?:id|name|uuid|key))?|run_?name|version"
_MOST = 1000
"""Metrics of a log; a column with more words holds no names."""

Codes = NDArray[np.int64]


def widened(table: LogTable) -> list[LogTable]:
    """The table, or where it is a long one, a wide table for each run of it."""
    name = _one(table.words, _NAME)
    value = _one(table.columns, _VALUE)
    if name is None or value is None:
        return [table]
    codes, names = _coded(table.words[name], table.words, table.present[value])
    kept = codes >= 0
    if not any(map(is_measure, names)) or len(names) > _MOST or kept.sum() < 2 * len(names):
        return [table]
    long = _Long(table, value, codes, tuple(names))
    return [_wide(long, rows, run) for run, rows in _runs(table, kept)]


@dataclass(frozen=True)
class _Long:
    """``codes`` (rows,) say of which of the ``names`` the value is; -1: of none."""

    table: LogTable
    value: str
    codes: Codes
    names: tuple[str, ...]


def _one(columns: Iterable[str], pattern: str) -> str | None:
    return next((c for c in columns if re.fullmatch(pattern, normal(c))), None)


def _coded(
    words: Sequence[str | None],
    others: Mapping[str, Sequence[str | None]],
    present: NDArray[np.bool_],
) -> tuple[Codes, list[str]]:
    """Each row's metric as a number (-1: none), and their names, with the part of the data."""
    part = next((w for n, w in others.items() if _parts(n, w)), None)
    known: dict[tuple[str | None, str | None], int] = {}
    pairs = zip(words, part if part is not None else [None] * len(words), strict=True)
    codes = np.array([known.setdefault(pair, len(known)) for pair in pairs], np.int64)
    names = [f"{of}/{word}" if of else str(word) for word, of in known]
    for (word, _), code in known.items():
        if word is None:
            codes[codes == code] = -1
    return np.where(present, codes, -1), names


def _parts(name: str, words: Sequence[str | None]) -> bool:
    seen = {word.lower() for word in set(words) if word}
    return normal(name) in PARTS and bool(seen) and seen <= TRAINING | EVALUATION


def _runs(table: LogTable, kept: NDArray[np.bool_]) -> Iterator[tuple[str, Codes]]:
    """Name and rows of each run."""
    column = _one((*table.words, *table.columns), _RUN)
    if column is None:
        yield table.name, np.flatnonzero(kept)
        return
    of = table.words[column] if column in table.words else table.columns[column].tolist()
    known: dict[object, int] = {}
    codes = np.array([known.setdefault(one, len(known)) for one in of], np.int64)
    for one, code in known.items():
        rows = np.flatnonzero(kept & (codes == code))
        if len(rows):
            run = f"{one:g}" if isinstance(one, float) else str(one)
            yield (run if len(known) > 1 else table.name), rows


def _wide(long: _Long, rows: Codes, run: str) -> LogTable:
    """One run of the long table."""
    table, codes = long.table, long.codes[rows]
    to, first = _placed(table, rows, codes)
    size = len(first)
    columns: dict[str, Numbers] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    beside = [c for c in table.columns if c != long.value and not re.fullmatch(_RUN, normal(c))]
    sources = [(c, table.columns[c][rows], table.present[c][rows]) for c in beside]
    values = table.columns[long.value][rows]
    sources += [(long.names[code], values, codes == code) for code in np.unique(codes)]
    for name, numbers, there in sources:
        columns[name] = np.full(size, np.nan)
        present[name] = np.zeros(size, np.bool_)
        columns[name][to[there]] = numbers[there]
        present[name][to[there]] = True
    lines = None if table.lines is None else table.lines[rows][first]
    return replace(table, name=run, columns=columns, present=present, words={}, lines=lines)


def _placed(table: LogTable, rows: Codes, codes: Codes) -> tuple[Codes, Codes]:
    """For each long row its row of the wide table, and for each of those its first long row.

    Values of several metrics at one step are one row; a metric that comes again at a step begins
    a row of its own. Rows stand in the order of their steps, or of the file where steps go back.
    """
    counter = next(iter(counters(table)), None)
    at = np.nan_to_num(table.columns[counter][rows], nan=-1.0) if counter else np.zeros(len(rows))
    times, ordered = np.empty(len(rows), np.int64), True
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        times[own] = _times(at[own])
        ordered &= bool((np.diff(at[own]) >= 0).all())
    keys, first, place = np.unique(
        np.stack([times, at]), axis=1, return_index=True, return_inverse=True
    )
    order = np.lexsort(keys) if ordered else np.argsort(first, kind="stable")
    row_of = np.empty(len(order), np.int64)
    row_of[order] = np.arange(len(order))
    return row_of[place.reshape(-1)], first[order]


def _times(at: Numbers) -> Codes:
    """How often each step stood before, row by row."""
    order = np.argsort(at, kind="stable")
    begins = np.append(True, np.diff(at[order]) != 0)
    start = np.maximum.accumulate(np.where(begins, np.arange(len(at)), 0))
    made = np.empty(len(at), np.int64)
    made[order] = np.arange(len(at)) - start
    return made
