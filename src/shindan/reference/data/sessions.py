"""Sessions of log keys: grouped by id or cut in windows, read from files, turned into ids.

No session is dropped for being short: of HDFS's 16,838 anomalies, 6,191 have fewer than ten keys.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing, opened, suffix_of
from shindan.reference.data.logs import LogKeys, LogLine
from shindan.reference.data.tokenizers import Ids

PAD, UNK, DIST, MASK, FIRST_KEY = range(5)
"""Ids of a key vocabulary: four special ones, then the keys."""
BLOCK = re.compile(r"blk_-?\d+")


@dataclass(frozen=True)
class Session:
    """Keys in their order; what is known of them besides."""

    keys: tuple[str, ...]
    anomalous: bool | None = None
    """None where nobody has said."""
    name: str = ""
    lines: tuple[int, ...] = ()
    """The number of each key's line in its file, from 1; empty where there was no such file."""

    def pieces(self, length: int) -> list["Session"]:
        """The session in parts of at most ``length`` keys, so that a long one loses none."""
        return [
            replace(self, keys=self.keys[i : i + length], lines=self.lines[i : i + length])
            for i in range(0, max(1, len(self.keys)), length)
        ]


@dataclass(frozen=True)
class KeyVocabulary:
    """The keys of training; others are UNK."""

    keys: tuple[str, ...]

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> "KeyVocabulary":
        """The keys of training sessions, the commonest first."""
        counts = Counter(key for session in sessions for key in session.keys)
        return cls(tuple(key for key, _ in counts.most_common()))

    def __len__(self) -> int:
        """Rows an embedding needs, special ids included."""
        return FIRST_KEY + len(self.keys)

    def encode(self, sessions: Iterable[Session]) -> list[Ids]:
        """[DIST] and the id of each key, an array (1 + keys,) for each session."""
        ids = {key: id for id, key in enumerate(self.keys, FIRST_KEY)}
        return [
            np.array([DIST, *(ids.get(key, UNK) for key in session.keys)], dtype=np.int64)
            for session in sessions
        ]

    def unseen(self, sessions: Iterable[Session]) -> tuple[int, int]:
        """(keys, sessions with such a key) that training has not seen."""
        known = set(self.keys)
        counts = [sum(key not in known for key in session.keys) for session in sessions]
        return sum(counts), sum(count > 0 for count in counts)


def by_id(
    lines: Iterable[LogLine], keys: LogKeys, pattern: re.Pattern[str] = BLOCK
) -> list[Session]:
    """A session for each id that ``pattern`` finds, in the order of their first lines.

    A line that names several ids belongs to each; one that names none to no session. A session is
    anomalous where a line of it is. Raises ``DataError`` where no line has an id.
    """
    found: dict[str, list[LogLine]] = {}
    for line in lines:
        for name in dict.fromkeys(pattern.findall(line.text)):
            found.setdefault(name, []).append(line)
    if not found:
        raise DataError("no-session", source="the log", pattern=pattern.pattern)
    return [_session(own, keys, name) for name, own in found.items()]


def by_window(
    lines: Sequence[LogLine], keys: LogKeys, size: int, stride: int | None = None
) -> list[Session]:
    """Windows of ``size`` lines, every ``stride`` (the size, unless said otherwise).

    The last one is as long as the lines left. Windows that overlap must not stand on both sides of
    a split: see :func:`train_and_test_windows`.
    """
    step = stride or size
    starts = range(0, max(1, len(lines) - size + step), step) if lines else ()
    return [_session(lines[i : i + size], keys, f"lines from {lines[i].number}") for i in starts]


def train_and_test_windows(
    lines: Sequence[LogLine], size: int, train_share: float, stride: int | None = None
) -> tuple[list[Session], list[Session], LogKeys]:
    """The first lines to train on, the later ones to test on, and the templates of the first.

    The *lines* are divided, each part is windowed by itself: no line, and no template learnt from a
    test line, is on both sides.
    """
    cut = round(train_share * len(lines))
    keys = LogKeys.learn(line.text for line in lines[:cut])
    train = by_window(lines[:cut], keys, size, stride)
    return train, by_window(lines[cut:], keys, size, stride), keys


def read_sessions(path: str | Path, anomalous: bool | None = None) -> list[Session]:
    """Sessions somebody has made already, each kept however short; ``.gz`` besides.

    - ``.csv`` with columns ``Sequence`` (keys with spaces between) and ``label`` (1: anomalous);
    - ``.jsonl`` with ``block``, ``templates`` (a list) and ``label``;
    - else one session a line, keys with spaces between, all of them ``anomalous`` or not as told.
    """
    path = existing(path)
    suffix = suffix_of(path)
    with opened(path) as file:
        if suffix == ".csv":
            sessions = [_of_csv(row, path) for row in csv.DictReader(file)]
        elif suffix == ".jsonl":
            sessions = [_of_jsonl(line, path) for line in file if line.strip()]
        else:
            sessions = [Session(tuple(line.split()), anomalous) for line in file if line.strip()]
    if not sessions:
        raise DataError("no-text", source=path)
    return sessions


def _of_csv(row: dict[str, str], path: Path) -> Session:
    _needs(row, ("Sequence", "label"), path)
    return Session(tuple(row["Sequence"].split()), row["label"] == "1")


def _of_jsonl(line: str, path: Path) -> Session:
    try:
        one = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError("not-readable", source=path, kind="JSONL", why=error) from error
    _needs(one, ("block", "templates", "label"), path)
    return Session(tuple(one["templates"]), bool(one["label"]), one["block"])


def _needs(record: dict[str, Any], columns: tuple[str, ...], path: Path) -> None:
    for column in columns:
        if column not in record:
            known = ", ".join(record)
            raise DataError("no-column", source=path, column=column, columns=known)


def _session(lines: Sequence[LogLine], keys: LogKeys, name: str) -> Session:
    labels = [line.anomalous for line in lines if line.anomalous is not None]
    return Session(
        keys=tuple(keys.key(line.text) for line in lines),
        anomalous=any(labels) if labels else None,
        name=name,
        lines=tuple(line.number for line in lines),
    )
