"""Rows to train on, cut from documents (arrays of ids, without special tokens).

Three shapes: one document a row, for masked models; documents packed into rows of one length, for
causal ones; overlapping windows, for the context-vector model. A split goes by document, never by
row: windows of one text on both sides would be a leak.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shindan.reference.data.errors import DataError
from shindan.reference.data.order import Rows, order
from shindan.reference.data.tokenizers import Ids
from shindan.reference.data.tokens import TokenFile

Documents = Rows[Ids]


class Part(Sequence[Ids]):
    """Some of the documents."""

    def __init__(self, documents: Documents, chosen: Ids) -> None:
        self.documents, self.chosen = documents, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Ids:  # type: ignore[override]  # no slices
        return self.documents[int(self.chosen[index])]


def split(documents: Documents, share: float, seed: int) -> tuple[Part, Part]:
    """(training, validation): ``share`` of the documents go to validation; both keep their order.

    Documents are drawn by a hash of their ids and the seed, so that equal ones are on one side
    (which may exceed the share by the copies of the last one drawn). Each side has one at least.
    """
    key = seed.to_bytes(8, "little", signed=True)
    draws = np.array([_draw(documents[i], key) for i in range(len(documents))], dtype=np.uint64)
    distinct, copies = np.unique(draws, return_counts=True)
    if len(distinct) < 2:
        raise DataError("too-few-documents", documents=len(distinct))
    wanted = np.searchsorted(np.cumsum(copies), share * len(draws)) + 1
    kept_out = draws < distinct[np.clip(wanted, 1, len(distinct) - 1)]
    return Part(documents, np.flatnonzero(~kept_out)), Part(documents, np.flatnonzero(kept_out))


def _draw(document: Ids, key: bytes) -> int:
    """A number below 2**64, uniform over documents and equal for equal ones."""
    ids = document.astype("<i8").tobytes()
    return int.from_bytes(hashlib.blake2b(ids, digest_size=8, key=key).digest(), "little")


class SingleRows(Sequence[Ids]):
    """[CLS] document [SEP], at most ``length`` ids; empty documents give no row.

    A longer document is cut off, and ``cut`` counts the ids lost; with ``whole`` the rest makes
    further rows instead.
    """

    def __init__(
        self, documents: Documents, length: int, begin: int, end: int, *, whole: bool = False
    ) -> None:
        self.documents, self.room = documents, length - 2
        self.begin, self.end = begin, end
        sizes = _sizes(documents)
        pieces = -(-sizes // self.room) if whole else np.minimum(sizes, 1)
        self.cut = 0 if whole else int(np.maximum(sizes - self.room, 0).sum())
        self.document = np.repeat(np.arange(len(sizes)), pieces)
        """Which document each row is of."""
        first_row = np.cumsum(pieces) - pieces
        self.start = (np.arange(len(self.document)) - first_row[self.document]) * self.room
        if not len(self.document):
            raise DataError("no-row", length=length, documents=len(sizes))

    def sizes(self) -> Ids:
        """Ids of each row, special tokens among them, shape (rows,)."""
        left: Ids = _sizes(self.documents)[self.document] - self.start
        return np.minimum(left, self.room) + 2

    def __len__(self) -> int:
        return len(self.document)

    def __getitem__(self, index: int) -> Ids:  # type: ignore[override]  # no slices
        start = self.start[index]
        ids = self.documents[int(self.document[index])][start : start + self.room]
        return np.concatenate(([self.begin], ids, [self.end]))


class PackedRow(NamedTuple):
    """Ids, and beside each the number of its document within the row, 0 being the first."""

    ids: Ids
    documents: Ids


class PackedRows(Sequence[PackedRow]):
    """Documents, ``end`` after each, one after another, cut every ``length`` ids.

    The last ids that fill no row are left out; ``cut`` counts them.
    """

    def __init__(self, documents: Documents, length: int, end: int) -> None:
        self.documents, self.length, self.end = documents, length, end
        self.ends = np.cumsum(_sizes(documents) + 1)
        """Where each document ends in the stream, its ``end`` included."""
        tokens = int(self.ends[-1]) if len(self.ends) else 0
        self.rows, self.cut = divmod(tokens, length)
        if not self.rows:
            raise DataError("no-row", length=length, documents=len(self.ends))

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> PackedRow:  # type: ignore[override]  # no slices
        if not 0 <= index < self.rows:
            raise IndexError(index)
        start, stop = index * self.length, (index + 1) * self.length
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.ends, stop, side="left"))
        begins = int(self.ends[first - 1]) if first else 0
        stream = [np.append(self.documents[n], self.end) for n in range(first, last + 1)]
        ids = np.concatenate(stream)[start - begins : stop - begins]
        numbers = np.searchsorted(self.ends, np.arange(start, stop), side="right") - first
        return PackedRow(ids, numbers)


class FilledRows(Sequence[PackedRow]):
    """Rows of :class:`SingleRows`, several in one of ``length``; none is cut, all are there once.

    They are taken in a drawn order, each into the first of the OPEN emptiest rows that has room for
    it. Which stand together says nothing: attention keeps them apart.
    """

    OPEN = 64

    def __init__(self, rows: SingleRows, length: int, seed: int) -> None:
        self.rows, self.length = rows, length
        sizes = rows.sizes()
        self.groups: list[list[int]] = []
        still_open: list[tuple[int, int]] = []  # (room, group)
        for n in order(len(rows), seed, 0).tolist():
            size = int(sizes[n])
            place = next((i for i, (room, _) in enumerate(still_open) if room >= size), None)
            if place is None:
                self.groups.append([])
                place = len(still_open)
                still_open.append((length, len(self.groups) - 1))
            room, group = still_open[place]
            self.groups[group].append(n)
            still_open[place] = (room - size, group)
            if len(still_open) > self.OPEN:
                still_open.remove(min(still_open))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> PackedRow:  # type: ignore[override]  # no slices
        rows = [self.rows[n] for n in self.groups[index]]
        numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        return PackedRow(np.concatenate(rows), numbers)


class WindowRows(Sequence[Ids]):
    """The context-vector protocol (SYSTEMS.md, section 4): [BOS] line [EOS] in windows.

    Lines of fewer than ``shortest`` words are dropped, lines that fit into one window padded,
    others cut into windows every ``stride`` ids, the tail that fills none being dropped.
    """

    def __init__(
        self,
        documents: Documents,
        begin: int,
        end: int,
        pad: int,
        *,
        length: int = 64,
        stride: int = 32,
        shortest: int = 5,
    ) -> None:
        self.documents, self.length = documents, length
        self.begin, self.end, self.pad = begin, end, pad
        sizes = _sizes(documents)
        windows = np.maximum(sizes + 2 - length, 0) // stride + 1
        windows[sizes < shortest] = 0
        self.document = np.repeat(np.arange(len(sizes)), windows)
        first_row = np.cumsum(windows) - windows
        self.start = (np.arange(len(self.document)) - first_row[self.document]) * stride
        if not len(self.document):
            raise DataError("no-row", length=length, documents=len(sizes))

    def __len__(self) -> int:
        return len(self.document)

    def __getitem__(self, index: int) -> Ids:  # type: ignore[override]  # no slices
        line = np.concatenate(([self.begin], self.documents[int(self.document[index])], [self.end]))
        window = line[self.start[index] : self.start[index] + self.length]
        return np.pad(window, (0, self.length - len(window)), constant_values=self.pad)


def _sizes(documents: Documents) -> Ids:
    """Tokens of each document, shape (documents,); of a token file without reading a token."""
    if isinstance(documents, TokenFile):
        return np.diff(documents.offsets)
    if isinstance(documents, Part):
        return _sizes(documents.documents)[documents.chosen]
    return np.array([len(documents[i]) for i in range(len(documents))], dtype=np.int64)
