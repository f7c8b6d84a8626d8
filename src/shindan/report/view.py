"""What a renderer is given: the document, the evidence to draw, the source to quote."""

import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar

from shindan.core.document import Document
from shindan.core.evidence.base import Evidence
from shindan.core.finding import Where

E = TypeVar("E", bound=Evidence)

CONTEXT = 3
"""Lines of source quoted on each side."""
LARGEST = 4 << 20
"""Bytes of a file that is quoted from; a log may be larger."""
LONGEST = 240
"""Characters of a line that are quoted."""


@dataclass(frozen=True)
class SourceLine:
    """One quoted line; ``here`` is the line the finding names."""

    number: int
    text: str
    here: bool


@dataclass(frozen=True)
class View:
    """A document and what there is to show beside it.

    ``evidence`` is by its type, and may be empty; ``sources`` holds the lines of the files that
    findings name (see :func:`read_sources`); ``root`` is the folder places are told relative to;
    ``logs`` is the evidence of each subject, where these are logs.
    """

    document: Document
    evidence: Mapping[type[Evidence], Evidence] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    root: str | None = None
    logs: tuple[Mapping[type[Evidence], Evidence], ...] = ()

    def get(self, kind: type[E]) -> E | None:
        """The evidence of that type, if there is any."""
        found = self.evidence.get(kind)
        return found if isinstance(found, kind) else None

    def relative(self, file: str) -> str:
        """The file's path from ``root`` where it lies under it."""
        path = PurePath(file)
        if self.root and path.is_absolute() and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return file

    def place(self, where: Where) -> str:
        """``train.py:41``, or the empty string."""
        if where.file is None:
            return ""
        file = self.relative(where.file)
        return file if where.line is None else f"{file}:{where.line}"

    def excerpt(self, where: Where, context: int = CONTEXT) -> tuple[SourceLine, ...]:
        """The line named, with its neighbours; empty when the source is not at hand."""
        lines = self.sources.get(where.file or "", ())
        if where.line is None or not 1 <= where.line <= len(lines):
            return ()
        first = max(1, where.line - context)
        last = min(len(lines), where.line + context)
        return tuple(SourceLine(n, lines[n - 1], n == where.line) for n in range(first, last + 1))


def read_sources(document: Document, root: str | Path = ".") -> dict[str, tuple[str, ...]]:
    """The lines of the files the findings name; those too large or unreadable are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for file in {f.where.file for f in document.findings if f.where.file is not None}:
        try:
            if (Path(root) / file).stat().st_size > LARGEST:
                continue
            with tokenize.open(Path(root) / file) as stream:
                found[file] = tuple(line[:LONGEST] for line in stream.read().splitlines())
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue
    return found
