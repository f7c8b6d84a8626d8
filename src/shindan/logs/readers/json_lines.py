"""JSON Lines: one object a line (also our own ``metrics.jsonl``), read in pieces by Arrow."""

import io
import json
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.json

from shindan.core.reason import Reason
from shindan.logs.arrow import Stack
from shindan.logs.formats import Claim, Format
from shindan.logs.rows import Rows
from shindan.logs.settings import beside, settings_of
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_NAME = "jsonl"
_BLOCK = 1 << 22


def claims(source: Source) -> Claim:
    """Two or more of the first lines, and half of them, are objects."""
    lines = [line for line in source.head.split(b"\n")[:40] if line.strip()]
    if sum(line.lstrip().startswith(b"{") for line in lines) < 2:
        return Claim.NO
    objects = [isinstance(_record(line), dict) for line in lines]
    enough = sum(objects) >= 2 and 2 * sum(objects) >= len(objects)
    return Claim.LIKELY if enough else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table; a first line that is all configuration becomes settings."""
    made = []
    for source in sources:
        stack, lost = Stack(), _Lost()
        settings = beside(source.path)
        for index, piece in enumerate(source.pieces(2 * _BLOCK)):
            if index == 0:
                first, settings = _without_configuration(piece, settings)
                lost.line += piece.count(b"\n") - first.count(b"\n")
                piece = first
            _add(piece, stack, lost)
        if stack.size:
            said = (*source.lost, *lost.said())
            made.append(stack.table(source.path, _NAME, source.path.name, settings, said))
    return made


class _Lost:
    """Lines that are no object: how many, and the first."""

    def __init__(self) -> None:
        self.count, self.first, self.line = 0, 0, 0

    def said(self) -> Iterable[Reason]:
        if self.count:
            yield Reason("log-lines-damaged", {"count": self.count, "line": self.first})


def _add(piece: bytes, stack: Stack, lost: _Lost) -> None:
    lines = piece.count(b"\n")
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(piece), pyarrow.json.ReadOptions(block_size=_BLOCK)
        )
        stack.arrow(table)
    except (pa.ArrowException, UnicodeError):
        stack.rows(_by_line(piece, lost))
    lost.line += lines


def _by_line(piece: bytes, lost: _Lost) -> Rows:
    rows = Rows()
    for index, line in enumerate(piece.split(b"\n")):
        if not line.strip(b" \t\r\0,[]"):
            continue
        record = _record(line)
        if isinstance(record, dict):
            rows.add(record)
        else:
            lost.count += 1
            lost.first = lost.first or lost.line + index + 1
    return rows


def _record(line: bytes) -> object:
    try:
        return json.loads(line.strip(b" \t\r\0,").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _without_configuration(
    piece: bytes, settings: dict[str, object]
) -> tuple[bytes, dict[str, object]]:
    """The piece without a first line that shares no name with the next one."""
    head, _, rest = piece.partition(b"\n")
    first, second = _record(head), _record(rest.partition(b"\n")[0])
    if not isinstance(first, dict) or not isinstance(second, dict) or set(first) & set(second):
        return piece, settings
    if len(first) <= 4 and not any(isinstance(value, dict) for value in first.values()):
        return piece, settings
    return rest, {**settings, **settings_of(first)}


FORMAT = Format(_NAME, claims, read)
