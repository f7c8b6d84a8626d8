"""CSV, TSV and tables of columns separated by spaces; also Lightning's ``metrics.csv``."""

import csv
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.csv

from shindan.core.reason import Reason
from shindan.logs.arrow import Stack
from shindan.logs.formats import Claim, Format
from shindan.logs.numerals import moment, number
from shindan.logs.printed import is_rule
from shindan.logs.settings import beside, settings_in
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_NAME = "csv"
_DELIMITERS = ",\t;|"
_EMPTY = ["", "null", "NULL", "None", "NA", "N/A", "n/a", "#N/A", "<NA>", "No log"]
"""Cells without a value. "nan" is none of them: a logged NaN is a value."""
_PIECE = 1 << 22
"""Bytes that are parsed at once, and by which types are inferred."""
_LOOKED_AT = 50
_ALONE = 10
"""Lines of one number each from which they are a column."""


@dataclass(frozen=True)
class Shape:
    """How the cells of a file are told apart. ``names`` empty: it has no header line.

    ``skipped`` lines stand before the header (or the first row); ``delimiter`` " " is any run of
    spaces.
    """

    delimiter: str
    names: tuple[str, ...]
    skipped: int = 0
    comments: tuple[str, ...] = field(default=(), compare=False)


def claims(source: Source) -> Claim:
    """Lines of equally many cells, with numbers, under a header of names."""
    shape = shape_of(source)
    if shape is None or not (shape.names or source.named):
        return Claim.NO
    return Claim.LIKELY if len(shape.names) > 1 else Claim.PLAUSIBLE


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a file."""
    return [table for source in sources if (table := table_of(source, _NAME))]


def shape_of(source: Source) -> Shape | None:
    """The shape by the first lines; None where they are no table."""
    lines = source.head.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    if len(source.head) > 1 << 17 and len(lines) > 2:
        lines = lines[:-1]  # cut by us
    skipped = 0
    while skipped < len(lines) and (not lines[skipped].strip() or lines[skipped][0] == "#"):
        skipped += 1
    body = [line for line in lines[skipped : skipped + _LOOKED_AT] if line.strip()]
    if len(body) < 2 or any(map(is_rule, body[:2])):
        return None
    comments = tuple(lines[:skipped])
    for delimiter in (*_DELIMITERS, " "):
        rows = [_cells(line, delimiter) for line in body]
        if names := _header(rows, delimiter):
            return Shape(delimiter, names, skipped, comments)
        if _all_numbers(rows):
            named = _cells(comments[-1].lstrip("# "), delimiter) if comments else []
            fits = len(named) == len(rows[0]) and not any(map(_numeric, named))
            return Shape(delimiter, tuple(named) if fits else (), skipped, comments)
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except (csv.Error, StopIteration):
        return []


def _numeric(cell: str) -> bool:
    return number(cell) is not None


def _header(rows: list[list[str]], delimiter: str) -> tuple[str, ...]:
    """The first row's cells, where they are names and the rows below fit under them."""
    names, below = rows[0], rows[1:]
    fewest = 1 if delimiter == "," else 2
    if len(names) < fewest or sum(map(bool, names)) * 2 < len(names):
        return ()
    if any(_numeric(name) for name in names) or any(len(name) > 300 for name in names):
        return ()
    fit = [row for row in below if len(row) == len(names)]
    valued = [row for row in fit if any(_numeric(cell) for cell in row)]
    known = [cell for row in fit for cell in row if cell]
    clean = sum(_numeric(c) or c in _EMPTY or moment(c) is not None for c in known)
    strict = len(names) == 1 or delimiter == " "
    if 2 * len(valued) < len(below) or (strict and 10 * clean < 9 * len(known)):
        return ()
    if any(re.search(r"[=:]\s*[-\d]", cell) and moment(cell) is None for cell in known[:50]):
        return ()  # lines of "key: value" with commas between
    return tuple(names)


def _all_numbers(rows: list[list[str]]) -> bool:
    width = len(rows[0])
    enough = width > 1 or len(rows) >= _ALONE
    return enough and all(len(row) == width and all(map(_numeric, row)) for row in rows)


def table_of(source: Source, form: str) -> LogTable | None:
    """The table of a file that has a shape."""
    shape = shape_of(source)
    if shape is None:
        return None
    skipped, stack = _Skipped(), Stack()
    for table, size in _tables(source, shape, skipped):
        stack.expected = stack.expected or source.share(size, table.num_rows)
        stack.arrow(_without_headers(table, shape, skipped))
    if not stack.size or skipped.count > stack.size:
        return None
    settings = {**beside(source.path), **settings_in(line.lstrip("# ") for line in shape.comments)}
    lost = (*source.lost, *skipped.said())
    made = stack.table(source.path, form, source.path.name, settings, lost)
    return made if made.columns else None


@dataclass
class _Skipped:
    """Rows whose cells are too many or too few, and headers that came again."""

    count: int = 0
    headers: int = 0
    first: str = ""

    def add(self, rows: Sequence[str]) -> None:
        """Some more of them."""
        self.count += len(rows)
        self.first = self.first or (rows[0][:80] if rows else "")

    def said(self) -> list[Reason]:
        reasons = []
        if self.headers:
            reasons.append(Reason("log-header-again", {"count": self.headers}))
        if self.count:
            reasons.append(
                Reason("log-rows-damaged", {"count": self.count, "text": self.first.strip()})
            )
        return reasons


def _unique(shape: Shape, source: Source) -> list[str]:
    """Column names, each once (Arrow takes types by name)."""
    names = shape.names or tuple(map(str, range(_width(source, shape))))
    seen: dict[str, int] = {}
    unique = []
    for index, name in enumerate(names):
        again = seen[name] = seen.get(name, -1) + 1
        unique.append((name or f"column {index}") + (f".{again}" if again else ""))
    return unique


def _width(source: Source, shape: Shape) -> int:
    lines = source.head.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return len(
        _cells(next(line for line in lines[shape.skipped :] if line.strip()), shape.delimiter)
    )


def _tables(source: Source, shape: Shape, skipped: _Skipped) -> Iterator[tuple[Any, int]]:
    """Arrow's table of each piece, in their order, and its bytes; a few are parsed at a time."""
    names, workers = _unique(shape, source), os.cpu_count() or 1
    waiting: deque[tuple[Future[tuple[Any, list[str]]], int]] = deque()
    with ThreadPoolExecutor(workers) as threads:
        for piece in chain(_bodies(source, shape), [b""]):
            if piece:
                waiting.append((threads.submit(_parsed, piece, shape, names), len(piece)))
            while waiting and (not piece or len(waiting) > workers):
                job, size = waiting.popleft()
                table, rows = job.result()
                skipped.add(rows)
                if table is not None:
                    yield table, size


def _bodies(source: Source, shape: Shape) -> Iterator[bytes]:
    """The rows, some megabytes at a time, without what stands before them."""
    before = shape.skipped + (1 if shape.names and not _in_comment(shape) else 0)
    for piece in source.pieces(_PIECE):
        piece = _tidied(piece, shape.delimiter == " ")
        while before and piece:
            _, _, piece = piece.partition(b"\n")
            before -= 1
        if piece and not piece.isspace():
            yield piece


def _parsed(piece: bytes, shape: Shape, names: list[str]) -> tuple[Any, list[str]]:
    """The piece as an Arrow table (None where it is none), and the rows that do not fit.

    As one block: types are inferred by all of it, so that no later block can contradict.
    """
    rows: list[str] = []

    def noted(row: Any) -> str:
        rows.append(str(row.text or ""))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(piece),
            pyarrow.csv.ReadOptions(
                column_names=names, block_size=len(piece) + 1, use_threads=False
            ),
            pyarrow.csv.ParseOptions(
                delimiter="\t" if shape.delimiter == " " else shape.delimiter,
                quote_char='"' if b'"' in piece else False,
                invalid_row_handler=noted,
            ),
            pyarrow.csv.ConvertOptions(null_values=_EMPTY, strings_can_be_null=True),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None, piece.decode("utf-8", "replace").split("\n")
    return table, rows


def _tidied(piece: bytes, spaced: bool) -> bytes:
    """Without zeros (a file system's after a crash), with line feeds, runs of spaces as tabs."""
    if b"\0" in piece:
        piece = piece.replace(b"\0", b"")
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if spaced:
        piece = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", piece)
        piece = re.sub(rb"[ \t]+", b"\t", piece)
    return piece


def _in_comment(shape: Shape) -> bool:
    last = shape.comments[-1].lstrip("# ") if shape.comments else ""
    return bool(last) and tuple(_cells(last, shape.delimiter)) == shape.names


def _without_headers(table: Any, shape: Shape, skipped: _Skipped) -> Any:
    """Without rows that are the header again: a resumed run, a file appended to another."""
    if not shape.names or not all(pa.types.is_string(field.type) for field in table.schema):
        return table
    again = pa.compute.equal(table.column(0), shape.names[0])
    for index, name in enumerate(shape.names[1:], 1):
        again = pa.compute.and_(again, pa.compute.equal(table.column(index), name))
    again = pa.compute.fill_null(again, False)
    count = pa.compute.sum(again).as_py() or 0
    skipped.headers += count
    return table.filter(pa.compute.invert(again)) if count else table


FORMAT = Format(_NAME, claims, read)
