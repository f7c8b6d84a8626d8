"""Tables that were printed for people: Markdown, boxes, tabs, columns parted by spaces.

``Step  Training Loss  Validation Loss`` and below it rows of numbers, wherever they stand.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shindan.logs.numerals import duration, moment, number
from shindan.logs.records import is_measure, is_place

NO_VALUE = ("", "-", "--", "null", "None", "NA", "N/A", "n/a", "<NA>", "No log", "NaT")
"""Cells without a value; "No log" is the Hugging Face Trainer's."""
_EDGES = str.maketrans(dict.fromkeys("│┃║", "|"))
_RULE = re.compile(r"[\s|+\-=:.─━═┄┈╌┼┿╂╋╪╬├┝┞┠┣╞╟╠┤┥┨┫╡╢╣┬┯┳╤╦┴┷┻╧╩┌┏╔┐┓╗└┗╚┘┛╝╇╈┡┩╀]{3,}")
_WORDS = re.compile(r"[^\W\d_]{2}")
"""What a header has, and rows of numbers have not."""
_LONGEST = 300
"""Characters of a line of a table."""
_WIDEST = 60
"""Characters of a column's name."""


@dataclass
class Printed:
    """A table: its names, its rows of as many cells, and the rows' lines in the text (from 1)."""

    names: tuple[str, ...]
    rows: list[Sequence[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    first: int = 0
    """Line of its header."""

    def add(self, row: Sequence[str], line: int) -> bool:
        """Keeps a row of this table; whether it is one."""
        if len(row) != len(self.names) or not _valued(row):
            return False
        self.rows.append(row)
        self.lines.append(line)
        return True

    def records(self) -> list[dict[str, str | float]]:
        """The rows by name, without the cells that are empty; clocks are seconds."""
        return [
            {name: _clock(cell) for name, cell in zip(self.names, row, strict=True) if _says(cell)}
            for row in self.rows
        ]


def printed(lines: Iterable[str]) -> list[Printed]:
    """All tables of a text that count something and measure something, in its order.

    A header that comes again goes on with the table; where its first row comes again too, the
    table was printed anew with what had been added.
    """
    found: list[Printed] = []
    for at, line in enumerate(lines, 1):
        if len(line) > _LONGEST or not (found or _WORDS.search(line)) or is_rule(line):
            continue
        cells = parted_cells(line)
        if len(cells) < 2:
            continue
        if is_header(cells):
            found.append(Printed(cells, first=at))
        elif found:
            found[-1].add(cells, at)
    return continued([table for table in found if table.rows])


def is_header(cells: Sequence[str]) -> bool:
    """Names, one of which counts and one of which measures."""
    if any(number(cell) is not None or len(cell) > _WIDEST for cell in cells):
        return False
    counts = any(is_place(cell) or cell in ("#", "E") for cell in cells)
    return counts and any(map(is_measure, cells))


def is_rule(line: str) -> bool:
    """Whether a line is drawn: ``|---|---|``."""
    return _RULE.fullmatch(line.strip()) is not None


def parted_cells(line: str) -> tuple[str, ...]:
    """The cells of a line, by its bars, tabs, or runs of spaces."""
    line = line.translate(_EDGES)
    if "|" in line:
        inner = line.strip().removeprefix("|").removesuffix("|")
        return tuple(cell.strip() for cell in inner.split("|"))
    if "\t" in line:
        return tuple(cell.strip() for cell in line.rstrip("\n").split("\t"))
    return tuple(re.split(r"\s{2,}", line.strip()))


def _valued(row: Sequence[str]) -> bool:
    """Numbers, clocks and empty cells, and one number at least."""
    numbers = sum(number(cell) is not None for cell in row)
    clocks = sum(not _says(cell) or _time(cell) is not None for cell in row)
    return numbers > 0 and numbers + clocks == len(row)


def _says(cell: str) -> bool:
    return cell not in NO_VALUE


def _time(cell: str) -> float | None:
    found = duration(cell)
    return moment(cell) if found is None else found


def _clock(cell: str) -> str | float:
    found = duration(cell)
    return cell if found is None else found


def continued(tables: list[Printed]) -> list[Printed]:
    """Tables one after another under the same names as one."""
    joined: list[Printed] = []
    for table in tables:
        last = joined[-1] if joined else None
        if last is None or last.names != table.names:
            joined.append(table)
        elif last.rows[0] == table.rows[0]:
            joined[-1] = table
        else:
            last.rows += table.rows
            last.lines += table.lines
    return joined
