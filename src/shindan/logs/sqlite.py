"""SQLite files that tools keep their runs in, opened for reading alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shindan.logs.source import Source

MAGIC = b"SQLite format 3\0"
DAMAGED = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged file raises; the second where its own words are told."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database; text that is no UTF-8 is replaced. Raises sqlite3.Error."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        yield db
    finally:
        db.close()


def has(source: Source, **tables: set[str]) -> bool:
    """Whether the file is a database with these tables and their columns."""
    if not source.start.startswith(MAGIC):
        return False
    try:
        with opened(source.path) as db:
            return all(
                columns <= {row[1] for row in db.execute(f'PRAGMA table_info("{name}")')}
                for name, columns in tables.items()
            )
    except DAMAGED:
        return False
