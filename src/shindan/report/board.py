"""A table as every renderer shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Board:
    """A title, a name for each column, and per row its name and a cell for each column.

    ``notes`` stand below it, `code` in them told apart. ``wide`` tables are left to pages.
    """

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()
    wide: bool = False

    def turned(self) -> "Board":
        """Rows for columns."""
        cells = zip(*(cells for _, cells in self.rows), strict=True)
        rows = tuple(zip(self.names, cells, strict=True))
        return Board(self.title, tuple(name for name, _ in self.rows), rows, self.notes)
