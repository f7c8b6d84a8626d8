"""Tables of HTML that are logs, as the Hugging Face Trainer and fastai show them in notebooks."""

import html.parser
from collections.abc import Sequence

from shindan.logs.printed import Printed, continued, is_header


def tables_of_page(page: str) -> list[Printed]:
    """The tables that count and measure something, in their order; ``lines`` are their rows'
    numbers. Of a table that is shown anew as it grows, the last."""
    if "<table" not in page:
        return []
    parser = _Rows()
    parser.feed(page)
    return continued([table for table in parser.tables if table.rows])


class _Rows(html.parser.HTMLParser):
    """The tables of a page that have the header of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Printed] = []
        self._row: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """A row or a cell begins."""
        if tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._row.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        """A cell ends, or a row: a header, or one of the last header's rows."""
        if tag in ("td", "th"):
            self._open = False
        elif tag == "tr" and len(self._row) > 1:
            row = tuple(cell.strip() for cell in self._row)
            if is_header(row):
                self.tables.append(Printed(row))
            elif self.tables:
                self.tables[-1].add(row, len(self.tables[-1].rows) + 1)

    def handle_data(self, data: str) -> None:
        """Text within a cell."""
        if self._open and self._row:
            self._row[-1] += data
