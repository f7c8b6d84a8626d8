"""TensorBoard event files: TFRecords of ``Event`` messages (tensorboard/compat/proto).

Read are scalars, as ``simple_value`` (PyTorch, TensorFlow 1) and as tensors (TensorFlow 2, JAX);
hyperparameters of the hparams plugin and texts that are JSON become settings.
"""

import json
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from shindan.core.errors import ShindanError
from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.records import SPLIT
from shindan.logs.series import Series
from shindan.logs.settings import beside, settings_of
from shindan.logs.source import Source
from shindan.logs.table import LogTable
from shindan.logs.wire import Frames, fields, messages, real, signed, texts, tfrecords, varint

_NAME = "tensorboard"
_UNPACK = {1: ("f", 5), 2: ("d", 6), 3: ("i", 7), 9: ("q", 10), 4: ("B", 7), 19: ("e", 13)}
"""DT_FLOAT, DOUBLE, INT32, INT64, UINT8, HALF: struct's letter, the field of their values."""
_STRING = 7
_BY_BATCH = re.compile(rb"\x0a.batch_\w", re.DOTALL)
"""A tag of Keras that is counted by batches; those that begin with ``epoch_`` are not."""


def claims(source: Source) -> Claim:
    """A first record with a sound checksum that is an event (its file_version or its time)."""
    if b"brain.Event:" in source.start[:64]:
        return Claim.SURE
    first = next(tfrecords(source.start[:4096], Frames()), None)
    ours = ".tfevents." in source.path.name and first is not None
    return Claim.SURE if ours else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """All event files of a run are one table: it was resumed, or wrote hyperparameters apart, or
    has a folder for each part of the data, whose name then stands before the tags."""
    lost, settings = _Lost(), dict[str, object]()
    run = _run(sources[0].path)
    folders = {source.path.parent for source in sources}
    by_batch = len(folders) > 1 and any(_BY_BATCH.search(source.start) for source in sources)
    series, by_epoch = Series(), Series()
    for source in sorted(sources, key=lambda s: (s.path.name, s.path)):
        part = (
            f"{_part(source.path, run)}/" if len(folders) > 1 and source.path.parent != run else ""
        )
        frames = Frames()
        for record in tfrecords(source.data(), frames):
            try:
                for tag, step, time, value in _event(record, settings):
                    apart = by_batch and tag.startswith("epoch_")
                    (by_epoch if apart else series).add(part + tag, step, time, value)
            except ValueError:
                lost.records += 1
        lost.add(source, frames)
    path = sources[0].path if len(sources) == 1 else run if len(folders) > 1 else folders.pop()
    name = path.name if path.is_dir() else path.parent.name
    for folder in (run, sources[0].path.parent):
        settings = {**beside(folder), **settings}
    tables = (
        series.table(path, _NAME, name, settings, lost.said()),
        by_epoch.table(path, _NAME, f"{name} (epochs)", settings, ()),
    )
    return [table for table in tables if table]


def _run(path: Path) -> Path:
    """The folder of the run: above ``train`` and ``validation`` (Keras), and above ``TAG_NAME``
    (PyTorch's ``add_scalars``)."""
    folder = path.parent
    if SPLIT.fullmatch(folder.name) or _added(path):
        return folder.parent
    return folder


def _part(path: Path, run: Path) -> str:
    """What the folder of a file is of: the part of the data, or the line of ``add_scalars``."""
    tag = _added(path)
    return path.parent.name.removeprefix(f"{tag}_") if tag else path.parent.name


def _added(path: Path) -> str:
    """The tag in the name of a folder that ``add_scalars`` made ("" where it is none)."""
    try:
        for record in tfrecords(Source(path).start, Frames()):
            for tag, *_ in _event(record, {}):
                start = tag.replace("/", "_").replace(" ", "_")
                return start if path.parent.name.startswith(f"{start}_") else ""
    except (ValueError, ShindanError):
        return ""
    return ""


class _Lost:
    def __init__(self) -> None:
        self.records, self.skipped, self.cut = 0, 0, False
        self.zips: list[Reason] = []

    def add(self, source: Source, frames: Frames) -> None:
        self.skipped += frames.skipped
        self.cut = self.cut or frames.cut
        self.zips += source.lost

    def said(self) -> tuple[Reason, ...]:
        return (
            *self.zips,
            *([Reason("log-records-damaged", {"count": self.records})] if self.records else []),
            *([Reason("log-bytes-skipped", {"count": self.skipped})] if self.skipped else []),
            *([Reason("log-last-record-cut")] if self.cut else []),
        )


def _event(record: bytes, settings: dict[str, object]) -> Iterator[tuple[str, int, float, float]]:
    """The event's scalars: tag, step, time, value; adds to the settings. Raises ValueError."""
    time, step, summaries = 0.0, 0, []
    for number, value in fields(record):
        if number == 1:
            time = real(value)
        elif number == 2:
            step = signed(value)
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for one in messages(summary, 1):
            tag, found = _value(one)
            if isinstance(found, float):
                yield tag, step, time, found
            elif found:
                settings |= found


def _value(message: bytes) -> tuple[str, float | dict[str, object] | None]:
    """A summary value's tag, and its number, or settings."""
    tag = "".join(texts(message, 1))
    found: float | dict[str, object] | None = None
    for number, value in fields(message):
        if number == 2:
            found = real(value)
        elif number == 8 and isinstance(value, bytes):
            found = _tensor(value)
        elif number == 9 and tag == "_hparams_/session_start_info" and isinstance(value, bytes):
            found = dict(_hyperparameters(value))
    return tag, found


def _tensor(message: bytes) -> float | dict[str, object] | None:
    """A TensorProto that holds one number, or a text."""
    kind, content, parts = 0, b"", dict[int, list[int | bytes]]()
    for number, value in fields(message):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        else:
            parts.setdefault(number, []).append(value)
    if kind == _STRING:
        return _json(parts.get(8, []))
    if kind not in _UNPACK:
        return None
    letter, number = _UNPACK[kind]
    if len(content) == struct.calcsize(letter):
        return float(struct.unpack("<" + letter, content)[0])
    values = parts.get(number, [])
    return _single(values[0], letter) if len(values) == 1 else None


def _single(value: int | bytes, letter: str) -> float | None:
    """The one number of a repeated field, packed or not."""
    if isinstance(value, bytes) and letter in "fd":
        return real(value) if len(value) == struct.calcsize(letter) else None
    if isinstance(value, bytes):
        value, _ = varint(value, 0)
    if letter == "e":  # halves are kept as their bits
        return float(struct.unpack("<e", struct.pack("<H", value & 0xFFFF))[0])
    return float(signed(value))


def _json(values: Sequence[int | bytes]) -> dict[str, object] | None:
    """A text that is a JSON object: the Trainer writes its arguments so."""
    for value in values:
        if isinstance(value, bytes) and value.lstrip()[:1] == b"{":
            try:
                return settings_of(json.loads(value.decode("utf-8", "replace")))
            except (ValueError, RecursionError):
                continue
    return None


def _hyperparameters(metadata: bytes) -> Iterator[tuple[str, object]]:
    """``SummaryMetadata.plugin_data.content.session_start_info.hparams``."""
    for plugin in messages(metadata, 1):
        for content in messages(plugin, 2):
            for session in messages(content, 3):
                for entry in messages(session, 1):
                    for value in messages(entry, 2):
                        yield "".join(texts(entry, 1)), _plain(value)


def _plain(value: bytes) -> object:
    """A ``google.protobuf.Value``."""
    for number, inner in fields(value):
        if number == 2:
            return real(inner)
        if number == 3 and isinstance(inner, bytes):
            return inner.decode("utf-8", "replace")
        if number == 4:
            return bool(inner)
    return None


FORMAT = Format(_NAME, claims, read, _run)
