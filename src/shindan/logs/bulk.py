"""Many lines of few templates at once: Arrow's RE2 takes the numbers out, no object per line."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shindan.logs.template import Field, Template, pattern

_Parts = tuple[Template, NDArray[np.int64], NDArray[np.float64]]
_LEAST = 100
"""Lines of a template in the first piece from which it is worth a pass over every other."""


class Bulk:
    """Templates learnt on the first piece, matched on the following ones."""

    def __init__(self) -> None:
        self.ready = False
        self._templates: list[tuple[Template, str]] = []
        self._blocks: list[_Parts] = []

    def learn(self, commonest: Iterable[Template]) -> None:
        """Match these from now on, the commonest first."""
        self._templates = [(made, pattern(made)) for made in commonest]
        self.ready = True

    def left_over(self, piece: bytes, at: int) -> Iterator[tuple[int, str]]:
        """The lines that no template matched, with their numbers (the piece begins after line
        ``at``); the others are kept as arrays."""
        if not self._templates:
            for index, line in enumerate(piece.decode("utf-8", "replace").split("\n")):
                if line:
                    yield at + index + 1, line
            return
        lines = _lines(piece)
        numbers = np.arange(at + 1, at + 1 + len(lines), dtype=np.int64)
        for made, form in self._templates:
            if not len(lines):
                break
            hit = pc.match_substring_regex(lines, form).to_numpy(zero_copy_only=False)
            if hit.any():
                values = _values(lines.filter(pa.array(hit)), made, form)
                self._blocks.append((made, numbers[hit], values))
                lines, numbers = lines.filter(pa.array(~hit)), numbers[~hit]
        for number, line in zip(numbers.tolist(), lines.to_pylist(), strict=True):
            if line:
                yield number, line

    def blocks(self) -> Sequence[_Parts]:
        """What was matched: template, line numbers [n], values [n, fields]."""
        by_template: dict[int, list[_Parts]] = {}
        for parts in self._blocks:
            by_template.setdefault(id(parts[0]), []).append(parts)
        self._blocks = []
        return [
            (
                ones[0][0],
                np.concatenate([lines for _, lines, _ in ones]),
                np.concatenate([values for _, _, values in ones]),
            )
            for ones in by_template.values()
        ]


def _lines(piece: bytes) -> Any:
    """The lines without their ends, over the same bytes."""
    ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n")).astype(np.int32)
    if not piece.endswith(b"\n"):
        ends = np.append(ends, np.int32(len(piece)))
    starts = np.concatenate([np.zeros(1, np.int32), ends[:-1] + 1]) if len(ends) else ends
    offsets = np.append(starts, np.int32(len(piece))).astype(np.int32)
    whole = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(piece))
    return pc.utf8_rtrim(whole, "\n")


def _values(lines: Any, made: Template, form: str) -> NDArray[np.float64]:
    groups = pc.extract_regex(lines, form)
    columns = [_column(groups.field(f"g{one.index}"), one) for one in made.fields]
    return np.column_stack(columns)


def _column(words: Any, one: Field) -> NDArray[np.float64]:
    if one.column == "timestamp" or one.read.__name__ != "number":
        coded = words.dictionary_encode()
        read = [one.read(word) for word in coded.dictionary.to_pylist()]
        return _array(pa.array(read, pa.float64()).take(coded.indices))
    if pc.any(pc.match_substring(words, ",")).as_py():
        words = pc.replace_substring(words, ",", "")
    if pc.any(pc.match_substring_regex(words, r"^[-+]?\.|^\+|\.$|\.[eE]")).as_py():
        return np.array([one.read(word) for word in words.to_pylist()], np.float64) * one.factor
    return _array(words.cast(pa.float64())) * one.factor


def _array(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
