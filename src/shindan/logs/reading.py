"""The door to logs: a file or a folder in, tables out."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from shindan.core.errors import ShindanError
from shindan.logs.called import called
from shindan.logs.formats import Claim, Format, formats
from shindan.logs.paired import paired
from shindan.logs.parted import parted
from shindan.logs.records import is_measure, is_place
from shindan.logs.source import Source
from shindan.logs.spelled import spelled
from shindan.logs.table import LogTable
from shindan.logs.widened import widened

_NOT_LOGS = {".git", "node_modules", "__pycache__", "site-packages", ".venv", ".ipynb_checkpoints"}
_BINARY = (
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".png", ".jpg", ".zip", ".so",
    ".py", ".pyc", ".html", ".md", ".whl", ".tar", ".pdf", ".parquet", ".arrow",
)  # fmt: skip
"""Names by which a file of a folder is known to be no log, before it is opened."""
_OWN = {"debug.log", "debug-internal.log", "debug-core.log"}
"""What W&B says of itself."""


def read(path: Path) -> list[LogTable]:
    """All runs' logs of a file or folder, in the order of their names.

    Raises ShindanError where there is nothing at ``path`` or nothing that could be read as a log.
    """
    if not path.exists():
        raise ShindanError("no-log", path=path)
    if path.is_dir():
        tables = _folder(path)
        if not tables:
            raise ShindanError("no-log-in-folder", path=path)
        return tables
    if not stat.S_ISREG(path.stat().st_mode):
        raise ShindanError("log-not-a-file", path=path)
    tables = _file(Source(path))
    if not tables and not path.stat().st_size:
        raise ShindanError("log-empty", path=path)
    if not tables:
        raise ShindanError("log-not-understood", path=path)
    return tables


def claimed(source: Source) -> list[tuple[Claim, Format]]:
    """The formats that may read a file, the surest first."""
    claims = [(form.claims(source), form) for form in formats()]
    return sorted((c for c in claims if c[0]), key=lambda c: (-c[0], c[1].name))


def _file(source: Source) -> list[LogTable]:
    """What its surest format reads; of a document's several tables, those that are training's."""
    claims = claimed(source)
    for claim, form in claims:
        if claim < Claim.SURE <= claims[0][0]:
            break  # it is that format, with nothing in it
        found = [table for table in form.read([source]) if len(table) or table.settings]
        tables = [parted(wide) for table in found for wide in widened(spelled(called(table)))]
        if tables:
            return [table for table in tables if _measures(table)] or tables
    return []


def _measures(table: LogTable) -> bool:
    return any(map(is_measure, table.columns))


def _trains(table: LogTable, claim: Claim) -> bool:
    """Whether a folder's file is a log of training: by its format, or measures along a course."""
    if claim is Claim.SURE:
        return table.lines is None or not len(table) or _measures(table)
    return _measures(table) and any(map(is_place, table.columns))


def _folder(folder: Path) -> list[LogTable]:
    """A file that cannot be read is no log; what claims it first, and has tables, has it."""
    runs: dict[tuple[str, Path], list[Source]] = {}
    tables: list[LogTable] = []
    for path in _files(folder):
        source = Source(path, named=False)
        try:
            claims = claimed(source)
            if not claims:
                continue
            claim, form = claims[0]
            if form.group(path) == path:
                tables += [table for table in _file(source) if _trains(table, claim)]
            else:
                runs.setdefault((form.name, form.group(path)), []).append(source)
        except ShindanError:
            continue
    by_name = {form.name: form for form in formats()}
    for (name, _), sources in runs.items():
        tables += by_name[name].read(sources)
    tables = [replace(table, name=_named(table, folder)) for table in paired(tables)]
    return _longest(sorted(tables, key=lambda table: (str(table.path), table.name)))


def _named(table: LogTable, folder: Path) -> str:
    """The run's name, with the way from the folder that was searched."""
    inside = table.path.relative_to(folder)
    return f"{inside.parent}/{table.name}" if inside.parent != Path() else table.name


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _NOT_LOGS)
        for name in sorted(names):
            path = Path(place, name)
            if not name.lower().endswith(_BINARY) and name not in _OWN and path.is_file():
                yield path


def _longest(tables: list[LogTable]) -> list[LogTable]:
    """Without logs that are the beginning of another: checkpoints hold the history so far."""
    return [
        table
        for table in tables
        if not any(_begins(table, other) for other in tables if other is not table)
    ]


def _begins(one: LogTable, other: LogTable) -> bool:
    """Whether ``one`` is a true beginning of ``other`` (of equal ones, the first stays)."""
    size = len(one)
    if one.format != other.format or not size or size > len(other):
        return False
    if size == len(other) and str(one.path) <= str(other.path):
        return False
    if not set(one.columns) <= set(other.columns) or one.path.name != other.path.name:
        return False
    return all(
        np.array_equal(values, other.columns[name][:size], equal_nan=True)
        for name, values in one.columns.items()
    )
