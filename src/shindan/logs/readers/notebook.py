"""Jupyter notebooks: what their cells printed, as text or as tables of HTML."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shindan.core.reason import Reason
from shindan.logs.documents import documents
from shindan.logs.formats import Claim, Format
from shindan.logs.pages import tables_of_page
from shindan.logs.readers import printed_table
from shindan.logs.records import is_measure, is_place
from shindan.logs.source import Held, Source
from shindan.logs.table import LogTable
from shindan.logs.text import read_text

_NAME = "notebook"
_CELLS = re.compile(rb'"cells"\s*:\s*\[')
_FEWEST = 3
"""Rows of a cell's table that is told where another cell has more."""


def claims(source: Source) -> Claim:
    """An object with cells that are of some type."""
    ours = source.head.lstrip()[:1] == b"{" and _CELLS.search(source.head)
    return Claim.SURE if ours and b'"cell_type"' in source.head else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """A table for each cell that printed a log, or a table of HTML that is one."""
    return [table for source in sources for table in _notebook(source)]


def _notebook(source: Source) -> list[LogTable]:
    found, lost = documents(source.text())
    made: list[LogTable] = []
    for document in found:
        cells = document.get("cells") if isinstance(document, dict) else None
        for index, cell in enumerate(cells if isinstance(cells, list) else (), 1):
            name = f"{source.path.name} cell {index}"
            made += [_named(table, name, lost) for table in _cell(cell, source)]
    made = [table for table in made if any(map(is_measure, table.columns))]
    logs = [
        t for t in made if len(t) >= _FEWEST and (source.named or any(map(is_place, t.columns)))
    ]
    return logs or (made if source.named else [])


def _named(table: LogTable, name: str, lost: Sequence[Reason]) -> LogTable:
    """Lines are those of a cell's text, and no lines of the file."""
    return replace(table, name=name, format=_NAME, lines=None, lost=(*table.lost, *lost))


def _cell(cell: Any, source: Source) -> Iterator[LogTable]:
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    said, pages = list[str](), list[str]()
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        data = data if isinstance(data, dict) else {}
        page = _text(data.get("text/html"))
        pages.append(page)
        said += [_text(output.get("text")), "" if page else _text(data.get("text/plain"))]
    for table in tables_of_page("\n".join(pages)):
        yield printed_table.as_log(table, source, _NAME)
    yield from _printed("".join(said), source)


def _printed(text: str, source: Source) -> list[LogTable]:
    """The log in what a cell printed: a table, or lines."""
    held = Held(source.path, text.encode("utf-8", "replace"))
    if printed_table.claims(held):
        return printed_table.tables(held)
    found = read_text(held, _NAME) if text.strip() else None
    return [found] if found else []


def _text(value: object) -> str:
    """A text, whole or as a list of its lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


FORMAT = Format(_NAME, claims, read)
