"""W&B offline runs, ``run-ID.wandb``: a LevelDB log of ``Record`` messages.

Field numbers are those of wandb/proto/wandb_internal.proto.
"""

import json
from collections.abc import Sequence

from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.rows import Rows
from shindan.logs.settings import beside, settings_of
from shindan.logs.source import Source
from shindan.logs.table import LogTable
from shindan.logs.wire import Frames, fields, leveldb, messages, real, signed, texts

_NAME = "wandb"
_MAGIC = b":W&B"
_HEADER = 7
_HISTORY, _CONFIG, _RUN = 2, 5, 17


def claims(source: Source) -> Claim:
    """W&B's own mark at the beginning."""
    return Claim.SURE if source.start.startswith(_MAGIC) else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a run; a run without history has none."""
    made = []
    for source in sources:
        frames, run = Frames(), _Run()
        for record in leveldb(source.data(), frames, _HEADER):
            run.add(record)
        lost = [*source.lost]
        if run.damaged:
            lost.append(Reason("log-records-damaged", {"count": run.damaged}))
        if frames.skipped:
            lost.append(Reason("log-bytes-skipped", {"count": frames.skipped}))
        if frames.cut:
            lost.append(Reason("log-last-record-cut"))
        if len(run.rows):
            settings = {**beside(source.path.parent), **settings_of(run.config)}
            made.append(
                run.rows.table(
                    source.path,
                    _NAME,
                    name=run.name or source.path.stem,
                    settings=settings,
                    lost=lost,
                )
            )
    return made


class _Run:
    def __init__(self) -> None:
        self.rows, self.config, self.name, self.damaged = Rows(), dict[str, object](), "", 0

    def add(self, record: bytes) -> None:
        """One record; one that is none is counted."""
        try:
            for number, content in fields(record):
                if not isinstance(content, bytes):
                    continue
                if number == _HISTORY:
                    self.rows.add(_history(content))
                elif number == _CONFIG:
                    self.config |= _items(content, 1)
                elif number == _RUN:
                    self.name = "".join(texts(content, 8)) or self.name
                    for config in messages(content, 4):
                        self.config |= _items(config, 1)
        except (ValueError, RecursionError):
            self.damaged += 1


def _history(message: bytes) -> dict[str, object]:
    row = _items(message, 1)
    for step in messages(message, 2):
        for number, value in fields(step):
            if number == 1:
                row.setdefault("_step", signed(value))
    return row


def _items(message: bytes, number: int) -> dict[str, object]:
    """The items of a history or configuration record, by (nested) name."""
    found: dict[str, object] = {}
    for item in messages(message, number):
        key, nested, value = "", [], None
        for part, content in fields(item):
            if part == 1 and isinstance(content, bytes):
                key = content.decode("utf-8", "replace")
            elif part == 2 and isinstance(content, bytes):
                nested.append(content.decode("utf-8", "replace"))
            else:
                value = _value(part, content)
        found[".".join(nested) or key] = value
    return found


def _value(part: int, content: int | bytes) -> object:
    """An item's value: typed (boolean, integer, number, text), or JSON."""
    if part == 4:
        return bool(content)
    if part == 5:
        return signed(content)
    if part == 6:
        return real(content)
    if isinstance(content, bytes):
        text = content.decode("utf-8", "replace")
        return text if part == 7 else json.loads(text) if part in (8, 16) else None
    return None


FORMAT = Format(_NAME, claims, read)
