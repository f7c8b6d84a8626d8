"""What a reader declares; every module of ``readers/`` is found by itself."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from shindan.logs.source import Source
from shindan.logs.table import LogTable


class Claim(IntEnum):
    """How sure a reader is that a file is its own; the surest reads first."""

    NO = 0
    PERHAPS = 1
    """It is text."""
    PLAUSIBLE = 2
    """The shape is right: it begins like JSON, its lines have equally many cells."""
    LIKELY = 3
    """Several of its records are the format's."""
    SURE = 4
    """A magic number, or names that no other format has."""


def itself(path: Path) -> Path:
    """Every file is a log of its own."""
    return path


@dataclass(frozen=True)
class Format:
    """One format, the ``FORMAT`` of its module.

    ``read`` gets the sources of one run: one file, or all files for which ``group`` gives the
    same path. It returns no table where the file is not the format's after all, or holds nothing.
    """

    name: str
    claims: Callable[[Source], Claim]
    read: Callable[[Sequence[Source]], list[LogTable]]
    group: Callable[[Path], Path] = itself


@functools.cache
def formats() -> tuple[Format, ...]:
    """All formats, by name."""
    from shindan.logs import readers

    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.iter_modules(readers.__path__, readers.__name__ + ".")
    ]
    return tuple(sorted((m.FORMAT for m in modules if hasattr(m, "FORMAT")), key=lambda f: f.name))
