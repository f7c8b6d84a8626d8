"""JSON that is no lines: a list of records, an object with one inside, lists as columns."""

import re
from collections.abc import Sequence
from typing import Any

from shindan.core.reason import Reason
from shindan.logs.documents import documents
from shindan.logs.formats import Claim, Format
from shindan.logs.records import found_in, settings_around
from shindan.logs.rows import Rows
from shindan.logs.settings import beside
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_BEGINS = re.compile(
    rb"[ \t\r\n\0]*(?:\{|\[\s*(?:[\[{\]\"]|$|(?:-?\d[\d.eE+\-]*|true|false|null|NaN|-?Infinity)"
    rb"\s*(?:[,\]]|$)))"
)
"""``[2021-12-17 ...]`` and ``[INFO]`` begin a line of text."""


def claims(source: Source) -> Claim:
    """It begins with an object or a list, or is called JSON and has lost its beginning."""
    begins = _BEGINS.match(source.head) is not None
    return Claim.PLAUSIBLE if begins or ".json" in source.path.suffixes else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """A table for each list of records."""
    return [table for source in sources for table in tables(source, "json")]


def tables(source: Source, form: str) -> list[LogTable]:
    """A table for each list of records of each document of the file."""
    found, lost = documents(source.text())
    lost = [*source.lost, *lost]
    if len(found) > 1:
        found = [document for document in found if not _nameless(document)]
    if _records(found):
        found = [found]
    elif len(found) > 1:
        lost.append(Reason("log-several-documents", {"count": len(found)}))
    made = []
    for index, document in enumerate(found):
        settings = {**beside(source.path), **settings_around(document)}
        for one in found_in(document):
            rows = Rows()
            rows.extend(one.records)
            parts = [source.path.name] + ([f"#{index + 1}"] if len(found) > 1 else [])
            parts += [".".join(one.way)] if one.way else []
            made.append(
                rows.table(source.path, form, name=" ".join(parts), settings=settings, lost=lost)
            )
    return made


def _records(found: list[Any]) -> bool:
    """Whether the documents are records one after another: objects under the same names."""
    objects = [item for item in found if isinstance(item, dict)]
    if len(objects) < 2 or 2 * len(objects) < len(found):
        return False
    alike = sum(len(set(one) & set(objects[0])) * 2 > len(one) for one in objects)
    plain = not any(
        isinstance(v, list) and v and isinstance(v[0], dict) for v in objects[0].values()
    )
    return plain and 2 * alike > len(objects)


def _nameless(document: Any) -> bool:
    """Whether it is a list of nothing but numbers: beside others it is a part of some text."""
    rows = document if isinstance(document, list) else [{}]
    cells = (cell for row in rows for cell in (row if isinstance(row, list) else [row]))
    return all(isinstance(cell, int | float | None) for cell in cells)


FORMAT = Format("json", claims, read)
