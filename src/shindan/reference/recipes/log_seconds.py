"""When the lines of a log were written, where they say it: for models that are told of time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shindan.reference import logs as embedded
from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing, opened
from shindan.reference.data.sessions import Session
from shindan.reference.recipes.log_sources import EMBEDDED_SESSIONS

Stamps = Mapping[int, float]
"""Seconds since 1970 by the line's number in its file, from 1."""
SINCE_1970 = re.compile(r"\S+ (\d{9,}) \d{4}\.\d\d\.\d\d ")
"""BGL's and Thunderbird's own column, after the label."""
DATED = (
    (re.compile(r"(\d{6} \d{6}) "), "%y%m%d %H%M%S"),  # HDFS
    (re.compile(r"\[(\w{3} \w{3} \d\d [\d:]+ \d{4})\] "), "%a %b %d %H:%M:%S %Y"),  # Apache
)


def stamps_of(data: str) -> dict[int, float]:
    """Of the log that ``data`` names; a line that tells no time has none. Raises DataError."""
    if data == "embedded":
        made = chain.from_iterable(embedded.sessions(EMBEDDED_SESSIONS))
        return {number: float(at) for number, (at, _) in enumerate(made, 1)}
    path = existing(Path(data).expanduser())
    if path.is_dir():
        raise DataError("no-seconds", source=data)
    with opened(path, errors="replace", newline="\n") as file:
        read = ((number, seconds_in(line.strip())) for number, line in enumerate(file, 1))
        found = {number: at for number, at in read if at is not None}
    if not found:
        raise DataError("no-seconds", source=data)
    return found


def seconds_in(line: str) -> float | None:
    """What the line's header tells, as seconds since 1970 (UTC)."""
    if since := SINCE_1970.match(line):
        return float(since[1])
    for pattern, form in DATED:
        if named := pattern.match(line):
            try:
                return datetime.strptime(named[1], form).replace(tzinfo=UTC).timestamp()
            except ValueError:  # 991399: digits, but no date
                return None
    return None


def elapsed(session: Session, stamps: Stamps) -> NDArray[np.float32]:
    """Seconds from the session's first line to each of its keys, shape (keys,).

    A line without a time has that of the line before it, and so has the session's own end.
    """
    at: list[float] = []
    for line in session.lines:
        at.append(stamps.get(line, at[-1] if at else min(stamps.values())))
    at += [at[-1]] * (len(session.keys) - len(at))
    return (np.array(at) - at[0]).astype(np.float32)
