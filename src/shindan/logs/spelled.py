"""Columns of words that spell numbers: ``"5/1000"``, ``"0:01:12"``, ``"1h 2m 3s"``."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from shindan.logs.numerals import duration
from shindan.logs.table import LogTable

_OF = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_PARTS = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (86400.0, 3600.0, 60.0, 1.0)

Read = Callable[[str], float | None]


def spelled(table: LogTable) -> LogTable:
    """The table with such columns as numbers: a count and its ``NAME_total``, or seconds."""
    columns, present, words = dict(table.columns), dict(table.present), dict(table.words)
    for name, column in table.words.items():
        if name in table.columns:  # some of it are numbers, so these are words
            continue
        for reads in ({name: _count, f"{name}_total": _total}, {name: duration}, {name: _spoken}):
            if any(new in columns for new in reads):
                continue
            made = {new: _read(column, read) for new, read in reads.items()}
            if all(values is not None for values in made.values()):
                for new, values in made.items():
                    assert values is not None
                    columns[new], present[new] = values, np.array([w is not None for w in column])
                del words[name]
                break
    return replace(table, columns=columns, present=present, words=words)


def _read(
    column: Sequence[str | None], read: Read
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """The numbers, where every word is one."""
    made = np.full(len(column), np.nan)
    for row, word in enumerate(column):
        if word is None:
            continue
        value = read(word)
        if value is None:
            return None
        made[row] = value
    return made


def _count(word: str) -> float | None:
    found = _OF.fullmatch(word)
    return float(found[1]) if found else None


def _total(word: str) -> float | None:
    found = _OF.fullmatch(word)
    return float(found[2]) if found else None


def _spoken(word: str) -> float | None:
    """Seconds of ``1h 2m 3s``."""
    found = _PARTS.fullmatch(word.strip())
    if not found or not any(found.groups()):
        return None
    return sum(
        float(part) * size for part, size in zip(found.groups(), _SECONDS, strict=True) if part
    )
