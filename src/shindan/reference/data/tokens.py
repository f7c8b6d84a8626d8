"""Token files: ids of many documents in one memory-mapped file that knows its tokenizer.

A header of one page (a magic line, then JSON padded with spaces), the ids, and the offsets of the
documents (uint64, one more than documents), all little-endian. The header is written last and the
file then renamed into place, so that a file which exists is whole.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing
from shindan.reference.data.tokenizers import (
    Ids,
    describe,
    encode,
    fingerprint,
    vocabulary_size,
)

MAGIC = b"shindan tokens 1\n"
PAGE = 4096


class TokenWriter:
    """Writes documents one by one; nothing is at ``path`` until the ``with`` block ends well.

    Ids are kept in 16 bits where the vocabulary allows, else in 32.
    """

    def __init__(self, path: str | Path, tokenizer: Tokenizer) -> None:
        self.path, self.tokenizer = Path(path), tokenizer
        self.size = vocabulary_size(tokenizer)
        self.dtype = np.dtype("<u2" if self.size <= 2**16 else "<u4")
        self.beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        self.offsets = [0]

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.beside.open("wb")
        self.file.write(b" " * PAGE)
        return self

    def add(self, ids: Ids | Sequence[int]) -> None:
        """One document, shape (tokens,); it may be empty. Ids beyond the vocabulary are refused."""
        document = np.asarray(ids, dtype=np.int64)
        outside = document[(document < 0) | (document >= self.size)]
        if outside.size:
            raise DataError(
                "id-out-of-range",
                document=len(self.offsets) - 1,
                id=outside[0],
                tokenizer=describe(self.tokenizer),
                last=self.size - 1,
            )
        self.file.write(document.astype(self.dtype).tobytes())
        self.offsets.append(self.offsets[-1] + document.size)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.file:
            if kind is None:
                self._finish()
        if kind is None:
            self.beside.replace(self.path)
        else:
            self.beside.unlink()

    def _finish(self) -> None:
        self.file.write(np.array(self.offsets, dtype="<u8").tobytes())
        header = {
            "dtype": self.dtype.str,
            "tokens": self.offsets[-1],
            "documents": len(self.offsets) - 1,
            "offsets_at": PAGE + self.offsets[-1] * self.dtype.itemsize,
            "fingerprint": fingerprint(self.tokenizer),
            "tokenizer": describe(self.tokenizer),
        }
        self.file.seek(0)
        self.file.write(MAGIC + json.dumps(header).encode())
        self.file.flush()
        os.fsync(self.file.fileno())


class TokenFile(Sequence[Ids]):
    """The documents of a token file, each an array (tokens,), read when it is asked for.

    Raises ``DataError`` where the file is absent, not whole, or written with a tokenizer other
    than ``tokenizer``.
    """

    def __init__(self, path: str | Path, tokenizer: Tokenizer) -> None:
        self.path = Path(path)
        header = _header(self.path)
        if header["fingerprint"] != fingerprint(tokenizer):
            raise DataError(
                "other-tokenizer",
                source=path,
                written=header["tokenizer"],
                opened=describe(tokenizer),
            )
        mapped = np.memmap(self.path, dtype=np.uint8, mode="r")
        offsets_at: int = header["offsets_at"]
        if mapped.size != offsets_at + 8 * (header["documents"] + 1):
            raise DataError("not-readable", source=path, kind="token", why="it is cut short")
        self.ids: NDArray[Any] = np.asarray(mapped[PAGE:offsets_at]).view(header["dtype"])
        """All documents one after another, shape (tokens,), as stored: 16 or 32 bits."""
        self.offsets: NDArray[Any] = np.asarray(mapped[offsets_at:]).view("<u8").astype(np.int64)
        """Where each document begins, and where the last one ends, shape (documents + 1,)."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:  # type: ignore[override]  # no slices
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.ids[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)


def write_tokens(path: str | Path, texts: Iterable[str], tokenizer: Tokenizer) -> TokenFile:
    """Encode ``texts`` into a token file, one document each, as they come; and open it."""
    with TokenWriter(path, tokenizer) as writer:
        for ids in encode(tokenizer, texts):
            writer.add(ids)
    return TokenFile(path, tokenizer)


def _header(path: Path) -> dict[str, Any]:
    with existing(path).open("rb") as file:
        page = file.read(PAGE)
    if not page.startswith(MAGIC):
        raise DataError("not-readable", source=path, kind="token", why="it begins otherwise")
    header: dict[str, Any] = json.loads(page[len(MAGIC) :])
    return header
