"""A log's file: its first bytes, its bytes, its pieces; compressed or not, in any encoding."""

import codecs
import functools
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from shindan.core.errors import ShindanError
from shindan.core.reason import Reason

HEAD = 1 << 18
"""Bytes by which a format is recognised."""
PIECE = 1 << 24
"""Bytes of one piece: large enough for vectorised work, small beside the columns."""
_GZIP = b"\x1f\x8b"
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_OTHERS = ("euc_jp", "cp932")
"""Tried, strictly, where a file is no UTF-8: what Japanese machines wrote."""

_JAPANESE = re.compile("[ぁ-ヶ一-龠]")
_STRANGE = re.compile("[\x80-\x9f\ue000-\uf8ff]")
"""C1 controls and private characters: bytes that were no such text."""


@dataclass
class Source:
    """One file. ``named``: the person named it, so it need not look like a training log."""

    path: Path
    named: bool = True
    _zip: Reason | None = None
    _replaced: int = 0

    @functools.cached_property
    def head(self) -> bytes:
        """The first bytes, in UTF-8 where they are text. Raises ShindanError."""
        return self._decoded(self.start)[0].encode("utf-8", "replace")

    def data(self) -> bytes:
        """All bytes, as they are (decompressed)."""
        return b"".join(self._raw(PIECE))

    def text(self) -> str:
        """All of it as text; what is no character is replaced, and said in ``lost``."""
        self._replaced = 0
        return self._counted(self.data())

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """The text in UTF-8, about ``size`` bytes at a time, cut after a line's end."""
        self._replaced = 0
        if self._encoding.startswith("utf-16"):
            yield self.text().encode("utf-8", "replace")
            return
        rest: list[bytes] = []
        for raw in self._raw(size):
            cut = raw.rfind(b"\n") + 1
            if cut:
                whole = memoryview(raw)
                yield self._as_utf8(b"".join((*rest, whole[:cut])))
                rest = []
            rest.append(raw[cut:])
        if last := b"".join(rest):
            yield self._as_utf8(last)

    def share(self, size: int, rows: int) -> int:
        """Rows to be expected of the file where ``size`` bytes of it hold ``rows``, and some more
        (of a compressed one too few)."""
        return math.ceil(1.1 * rows * self.path.stat().st_size / size) + rows

    @property
    def lost(self) -> tuple[Reason, ...]:
        """What could not be read on the way to the text, of what was read last."""
        kept = [self._zip] if self._zip else []
        if self._replaced:
            kept.append(Reason("log-not-text", {"count": self._replaced}))
        return tuple(kept)

    @functools.cached_property
    def start(self) -> bytes:
        """The first bytes as they are (decompressed). Raises ShindanError."""
        first = b""
        for raw in self._raw(HEAD):
            first += raw
            if len(first) >= HEAD:
                break
        return first[:HEAD]

    @functools.cached_property
    def _encoding(self) -> str:
        for mark, name in _MARKS.items():
            if self.start.startswith(mark):
                return name
        whole = self.start[: self.start.rfind(b"\n") + 1] or self.start
        for name in ("utf-8", *_OTHERS):
            try:
                text = whole.decode(name)
            except UnicodeDecodeError:
                continue
            if name == "utf-8" or (_JAPANESE.search(text) and not _STRANGE.search(text)):
                return name
        return "utf-8"

    def _decoded(self, block: bytes) -> tuple[str, int]:
        """The text, and how many characters had to be replaced."""
        for mark in _MARKS:
            block = block.removeprefix(mark)
        try:
            return block.decode(self._encoding), 0
        except UnicodeDecodeError:
            text = block.decode(self._encoding, "replace")
            return text, text.count("\ufffd")

    def _counted(self, block: bytes) -> str:
        text, replaced = self._decoded(block)
        self._replaced += replaced
        return text

    def _as_utf8(self, block: bytes) -> bytes:
        return block if block.isascii() else self._counted(block).encode("utf-8", "replace")

    def _raw(self, size: int) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                zipped = file.read(2) == _GZIP
                file.seek(0)
                blocks = takewhile(bool, iter(functools.partial(file.read, size), None))
                yield from self._unzipped(blocks, size) if zipped else blocks
        except OSError as error:
            raise ShindanError(
                "log-not-readable", path=self.path, error=error.strerror or error
            ) from error

    def _unzipped(self, blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
        """Every member of a gzip file, as far as it can be decompressed."""
        self._zip = None
        stream = zlib.decompressobj(wbits=31)
        begun = False
        for block in blocks:
            while block:
                begun, before = True, stream.copy()
                try:
                    out = stream.decompress(block, size)
                except zlib.error:
                    self._zip = Reason("log-zip-damaged")
                    yield _to_the_damage(before, block)
                    return
                if out:
                    yield out
                block = stream.unconsumed_tail
                if stream.eof:
                    block, begun = stream.unused_data.lstrip(b"\0"), False
                    stream = zlib.decompressobj(wbits=31)
        if begun:
            self._zip = Reason("log-zip-cut")


class Held(Source):
    """A text in memory, of the file at ``path``."""

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(path)
        self._content = content

    def _raw(self, size: int) -> Iterator[bytes]:
        for at in range(0, len(self._content), size):
            yield self._content[at : at + size]


def _to_the_damage(stream: "zlib._Decompress", block: bytes) -> bytes:
    """What can be decompressed of a damaged block, byte by byte."""
    kept = []
    for at in range(len(block)):
        try:
            kept.append(stream.decompress(block[at : at + 1]))
        except zlib.error:
            break
    return b"".join(kept)
