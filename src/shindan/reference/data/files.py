"""Files by name, compressed or not."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from shindan.reference.data.errors import DataError, no_file


def existing(path: str | Path) -> Path:
    """The path, ``~`` expanded, of a file; ``DataError`` with the nearest name if there is none."""
    path = Path(path).expanduser()
    if not path.is_file():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        raise no_file(path, [sibling.name for sibling in siblings])
    return path


def suffix_of(path: Path) -> str:
    """What the file holds: its suffix, that of compression left out."""
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


@contextmanager
def opened(path: Path, errors: str = "strict", newline: str | None = None) -> Iterator[TextIO]:
    """UTF-8 text of a file, unpacked if its name ends in ``.gz``; ``DataError`` if it is not so."""
    try:
        with (
            gzip.open(path) if path.suffix == ".gz" else path.open("rb") as bytes_,
            TextIOWrapper(bytes_, encoding="utf-8-sig", errors=errors, newline=newline) as file,
        ):
            yield file
    except UnicodeDecodeError as error:
        raise DataError("not-utf8", source=path) from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError("not-readable", source=path, kind="gzip", why=error) from error
