"""Tables in a text, as notebooks, fastai, spaCy, skorch and model cards print them."""

import re
from collections.abc import Sequence

from shindan.logs.formats import Claim, Format
from shindan.logs.pages import tables_of_page
from shindan.logs.printed import Printed, printed
from shindan.logs.rows import Rows
from shindan.logs.settings import beside, settings_in
from shindan.logs.source import Source
from shindan.logs.table import LogTable
from shindan.logs.tidying import tidy

_NAME = "printed-table"
_MEASURED = re.compile(r"(?i)(?:loss|ppl|perplexity|nll)['\"]?(?:[:=]\s*|\s)-?\d")
"""A line that says what it measures, as a table's row does not."""
_FEWEST = 2


def claims(source: Source) -> Claim:
    """A header over rows of numbers; more of them than of lines that name what they measure."""
    if b"\0" in source.head:
        return Claim.NO
    lines = _lines(source.head)
    rows = sum(len(table.rows) for table in _found(lines))
    if rows < _FEWEST or rows < sum(_MEASURED.search(line) is not None for line in lines):
        return Claim.NO
    return Claim.LIKELY


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table for each of a text that has other columns."""
    return [table for source in sources for table in tables(source)]


def tables(source: Source) -> list[LogTable]:
    """All tables of a text, the longest first."""
    lines = _lines(source.text().encode("utf-8", "replace"))
    found = sorted(_found(lines), key=lambda table: -len(table.rows))
    settings = {
        **beside(source.path),
        **settings_in(lines[: max(found[0].first - 1, 0)] if found else ()),
    }
    return [as_log(one, source, _NAME, settings) for one in found]


def as_log(
    one: Printed, source: Source, form: str, settings: dict[str, object] | None = None
) -> LogTable:
    """A printed table as a log's."""
    rows = Rows()
    for record, line in zip(one.records(), one.lines, strict=True):
        rows.add({"index" if name == "#" else name: cell for name, cell in record.items()}, line)
    return rows.table(source.path, form, settings=settings, lost=source.lost)


def _found(lines: Sequence[str]) -> list[Printed]:
    """Of a notebook that was made Markdown, the tables of HTML too."""
    return [*printed(lines), *tables_of_page("\n".join(lines))]


def _lines(text: bytes) -> list[str]:
    return tidy(text).decode("utf-8", "replace").split("\n")


FORMAT = Format(_NAME, claims, read)
