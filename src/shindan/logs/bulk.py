"""Many lines of few templates at once: Arrow's RE2 takes the numbers out, no object per line."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shindan.logs.arrow import doubles, truths
from shindan.logs.numerals import moment
from shindan.logs.template import Field, Template, pattern, plain

_Parts = tuple[Template, NDArray[np.int64], NDArray[np.float64]]
_ZONED = r"(?:Z|[-+]\d\d:?\d\d)$"
_ODD = r"^[-+]?\.|^\+|\.$|\.[eE]"
"""Numbers that Arrow does not read: ``.5``, ``+1``, ``1.``."""


class Bulk:
    """Templates learnt from the first lines, and from what they left over, matched in bulk."""

    def __init__(self) -> None:
        self._templates: dict[tuple[str, ...], tuple[Template, str]] = {}
        self._blocks: list[_Parts] = []

    def learn(self, commonest: Iterable[Template]) -> None:
        """Match these too from now on."""
        for made in commonest:
            self._templates.setdefault((*made.literals, *made.tokens), (made, pattern(made)))

    def left_over(self, piece: bytes, at: int) -> list[tuple[int, str]]:
        """The lines that no template matched, with their numbers (the piece begins after line
        ``at``); the others are kept as arrays."""
        lines = _lines(piece)
        numbers = np.arange(at + 1, at + 1 + len(lines), dtype=np.int64)
        for made, form in self._templates.values():
            if not len(lines):
                break
            hit = pc.match_substring_regex(lines, form)
            mask = truths(hit)
            if mask.any():
                matched = lines if mask.all() else lines.filter(hit)
                self._blocks.append((made, numbers[mask], _values(matched, made, form)))
                lines, numbers = lines.filter(pc.invert(hit)), numbers[~mask]
        return [
            (number, line)
            for number, line in zip(numbers.tolist(), lines.to_pylist(), strict=True)
            if line
        ]

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
    """The numbers of matching lines, [lines, fields]; a share of the lines a thread."""
    share = max(len(lines) // (os.cpu_count() or 1), 1000)
    shares = [lines.slice(at, share) for at in range(0, len(lines), share)]
    if len(shares) == 1:
        return _extracted(lines, made, form)
    with ThreadPoolExecutor(len(shares)) as threads:
        return np.concatenate(list(threads.map(lambda s: _extracted(s, made, form), shares)))


def _extracted(lines: Any, made: Template, form: str) -> NDArray[np.float64]:
    groups = pc.extract_regex(lines, form)
    return np.column_stack([_column(groups.field(f"g{one.index}"), one) for one in made.fields])


def _column(words: Any, one: Field) -> NDArray[np.float64]:
    if one.read is moment and not pc.any(pc.match_substring_regex(words, _ZONED)).as_py():
        return _moments(words)
    if one.read is not plain:
        coded = words.dictionary_encode()
        read = [one.read(word) for word in coded.dictionary.to_pylist()]
        return doubles(pa.array(read, pa.float64()).take(coded.indices))[0]
    if pc.any(pc.match_substring(words, ",")).as_py():
        words = pc.replace_substring(words, ",", "")
    if pc.any(pc.match_substring_regex(words, _ODD)).as_py():
        return np.array([one.read(word) for word in words.to_pylist()], np.float64) * one.factor
    return doubles(words.cast(pa.float64()))[0] * one.factor


def _moments(words: Any) -> NDArray[np.float64]:
    """Seconds since 1970 of dates without a zone; as numerals.moment, for a whole column."""
    days = pc.replace_substring_regex(pc.utf8_slice_codeunits(words, 0, 10), "[/.]", "-")
    whole = pc.binary_join_element_wise(days, pc.utf8_slice_codeunits(words, 11, 19), " ")
    at = pc.strptime(whole, "%Y-%m-%d %H:%M:%S", "s", error_is_null=True)
    seconds = doubles(at.cast(pa.int64()).cast(pa.float64()))[0]
    digits = pc.utf8_slice_codeunits(words, 20)
    if pc.all(pc.equal(digits, "")).as_py():
        return seconds
    return seconds + doubles(pc.binary_join_element_wise("0", digits, ".").cast(pa.float64()))[0]
