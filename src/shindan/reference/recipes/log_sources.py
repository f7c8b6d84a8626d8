"""Where LogBERT's sessions come from: a log, sessions somebody has made, or the embedded lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from shindan.reference import logs as embedded
from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing, opened, suffix_of
from shindan.reference.data.logs import LogKeys, LogLine, read_log
from shindan.reference.data.sessions import BLOCK, Session, by_id, by_window, read_sessions
from shindan.reference.models.logbert import LogBertConfig
from shindan.reference.train.config import Count, NotNegative, Settings

END = "<end>"
"""The key after the last one of a session, so that one cut off lacks what comes before it."""
EMBEDDED_SESSIONS = 400
FILES = ("hdfs_train", "train.csv", "train.jsonl", "train.jsonl.gz", "train")
"""Of a folder of sessions, the one to train on: the first that is there."""
WORD = re.compile(r"E?\d+|-")
"""A key somebody has made of a line: a number, or loghub's ``E5``."""
LOOKED_AT = 200


class LogSettings(Settings):
    """Where sessions come from, and how they are learnt."""

    model: LogBertConfig = LogBertConfig()
    log: Literal["auto", "lines", "keys"] = "auto"
    """Whether ``data`` holds lines of free text, or sessions of keys somebody has made."""
    session: str = "auto"
    """A pattern: lines that share what it finds are a session. ``auto``: HDFS's blocks where most
    lines name one, else windows."""
    window: Count = 20
    """Lines of a window."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    mask_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Chance of a key to be hidden; None draws it anew for each session, between 0 and 1, so that
    one hidden key among known ones is learnt as well as many."""
    ordered: bool = True
    """False: a session is what it holds, its keys sorted; in which order they came is not asked."""
    sphere: NotNegative = 0.1
    """The weight of the distance from the centre (alpha)."""
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.002
    """The share of normal sessions that each rule may call anomalous; its limit is set by it."""

    @field_validator("session")
    @classmethod
    def _pattern(cls, text: str) -> str:
        try:
            groups = re.compile(text).groups
        except re.error as error:
            raise ValueError(f"session={text} is not a pattern: {error}") from error
        if groups > 1:
            raise ValueError(f"session={text} has {groups} groups, and a session has one id")
        return text


@dataclass(frozen=True)
class Cutting:
    """How lines become sessions, the same in training and in use."""

    templates: LogKeys | None
    """None where the keys were made by others."""
    pattern: str | None
    """Of the id that lines of a session share; None for windows."""
    window: int

    @property
    def whole(self) -> bool:
        """Whether a session has an end of its own, as a window has not."""
        return self.templates is None or self.pattern is not None

    def sessions(self, source: str | Path) -> list[Session]:
        """The sessions of a file in the form that was trained on. Raises DataError."""
        if self.templates is None:
            return [closed(one) for one in read_sessions(source)]
        return self.cut(list(read_log(source)), source)

    def texts(self, source: str | Path) -> dict[int, str]:
        """The lines by their numbers, without headers; none where keys were made by others."""
        return (
            {} if self.templates is None else {line.number: line.text for line in read_log(source)}
        )

    def cut(self, lines: list[LogLine], source: str | Path) -> list[Session]:
        """Lines to sessions."""
        assert self.templates is not None
        if self.pattern is None:
            return by_window(lines, self.templates, self.window)
        pattern = re.compile(self.pattern)
        if not any(pattern.search(line.text) for line in lines):
            raise DataError("no-session", source=source, pattern=self.pattern)
        return [closed(one) for one in by_id(lines, self.templates, pattern)]


def closed(session: Session) -> Session:
    """The session with its end."""
    return replace(session, keys=(*session.keys, END))


def sessions_of(settings: LogSettings) -> tuple[list[Session], Cutting]:
    """What ``data`` holds, and how the like of it is to be cut. Raises DataError."""
    if settings.data == "embedded":
        return _of_lines(settings, list(embedded_lines()))
    path = _file(settings.data)
    if settings.log == "keys" or (settings.log == "auto" and _is_of_keys(path)):
        cutting = Cutting(None, None, settings.window)
        return cutting.sessions(path), cutting
    return _of_lines(settings, list(read_log(path)))


def embedded_lines(sessions: int = EMBEDDED_SESSIONS, seed: int = 0) -> Iterable[LogLine]:
    """A log that is on every machine."""
    made = chain.from_iterable(embedded.sessions(sessions, seed))
    return (LogLine(text, number, None) for number, (_, text) in enumerate(made, 1))


def _of_lines(settings: LogSettings, lines: list[LogLine]) -> tuple[list[Session], Cutting]:
    templates = LogKeys.learn(line.text for line in lines)
    cutting = Cutting(templates, _pattern(settings, lines), settings.window)
    return cutting.cut(lines, settings.data), cutting


def _pattern(settings: LogSettings, lines: list[LogLine]) -> str | None:
    if settings.session != "auto":
        return settings.session
    named = sum(bool(BLOCK.search(line.text)) for line in lines)
    return BLOCK.pattern if 2 * named > len(lines) else None


def _file(data: str) -> Path:
    path = Path(data).expanduser()
    if not path.is_dir():
        return existing(path)
    for name in FILES:
        if (path / name).is_file():
            return path / name
    return existing(path / FILES[0])


def _is_of_keys(path: Path) -> bool:
    """Tables are; of text, the words of its first lines tell."""
    if suffix_of(path) in (".csv", ".jsonl"):
        return True
    with opened(path, errors="replace") as file:
        words = [word for line in islice(file, LOOKED_AT) for word in line.split()]
    return bool(words) and all(WORD.fullmatch(word) for word in words)
