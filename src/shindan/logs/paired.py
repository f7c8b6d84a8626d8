"""Training and evaluation of one run in two files: ``train.log`` and ``valid.log``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from shindan.logs.axis import filled
from shindan.logs.called import stem
from shindan.logs.parted import EVALUATION, TRAINING, parted
from shindan.logs.records import SPLIT
from shindan.logs.roles import infer
from shindan.logs.table import LogTable, Numbers

_TESTS = {"test"}
"""Said of data that are kept for the end: taken only where no file evaluates otherwise."""
_WORD = "split"


def paired(tables: Sequence[LogTable]) -> list[LogTable]:
    """The tables, with one for two files whose names differ in the part of the data alone, and
    whose losses stand under one name along one count.
    """
    files: dict[tuple[Path, str, str], list[tuple[str, LogTable]]] = {}
    for table in tables:
        name = stem(table.path)
        part = SPLIT.search(name)
        if part is not None:
            rest = f"{name[: part.start()]}*{name[part.end() :]}"
            key = table.path.parent, rest, table.format
            files.setdefault(key, []).append((part[0].lower(), table))
    joined: dict[int, LogTable | None] = {}
    for parts in files.values():
        for one, other in _pairs(parts):
            joined |= {id(one): _joined(one, other), id(other): None}
    return [made for table in tables if (made := joined.get(id(table), table)) is not None]


def _pairs(parts: Sequence[tuple[str, LogTable]]) -> Iterator[tuple[LogTable, LogTable]]:
    """The training and its evaluation, where there is one of each."""
    training = [table for part, table in parts if part in TRAINING]
    others = [table for part, table in parts if part in EVALUATION - _TESTS]
    others = others or [table for part, table in parts if part in _TESTS]
    if len(training) == len(others) == 1 and _count(training[0], others[0]):
        yield training[0], others[0]


def _count(one: LogTable, other: LogTable) -> str | None:
    """The column that counts both, if both begin and end within a row of each other there."""
    ours, theirs = infer(one).columns, infer(other).columns
    if "loss" not in ours or ours["loss"] != theirs.get("loss"):
        return None
    for role in ("step", "update", "epoch"):
        column = ours.get(role)
        if column is None or column != theirs.get(role):
            continue
        counts = [filled(table.columns[column]) for table in (one, other)]
        return column if all(map(_rises, counts)) and _together(*counts) else None
    return None


def _rises(count: Numbers) -> bool:
    return len(count) > 1 and bool((np.diff(count) >= 0).all() and count[-1] > count[0])


def _together(one: Numbers, other: Numbers) -> bool:
    row = max(float(np.diff(count).max()) for count in (one, other))
    return bool(max(abs(one[0] - other[0]), abs(one[-1] - other[-1])) <= row)


def _joined(one: LogTable, other: LogTable) -> LogTable:
    """One table, row by row in the order of the count; of equal counts the training's first."""
    column = _count(one, other)
    assert column is not None
    counts = np.concatenate([filled(table.columns[column]) for table in (one, other)])
    order = np.argsort(counts, kind="stable")
    sizes = len(one), len(other)
    columns, present = {}, {}
    for name in dict.fromkeys(chain(one.columns, other.columns)):
        parts = [
            (table.columns[name], table.present[name])
            if name in table.columns
            else (np.full(size, np.nan), np.zeros(size, np.bool_))
            for table, size in zip((one, other), sizes, strict=True)
        ]
        columns[name] = np.concatenate([values for values, _ in parts])[order]
        present[name] = np.concatenate([there for _, there in parts])[order]
    part = ("train",) * sizes[0] + ("validation",) * sizes[1]
    made = replace(
        one,
        name=f"{one.name}, {other.name}",
        columns=columns,
        present=present,
        words={_WORD: tuple(part[at] for at in order.tolist())},
        lines=None,
        settings={**other.settings, **one.settings},
        lost=(*one.lost, *other.lost),
    )
    return replace(parted(made), words={})
