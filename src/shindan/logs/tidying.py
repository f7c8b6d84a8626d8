"""Text as a terminal got it, made plain: colours, progress bars, redrawn lines."""

import re

import numpy as np
from numpy.typing import NDArray

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\n]*\x07|[\x00\x08]")
_BACK = re.compile(rb"\x08{2,}\r?")
_REDRAWN = b"\x1e\n"
_BARS = re.compile(rb"%\|[^|\n]*\|")
_WRAPPED = re.compile(rb"(?:tensor|(?:np|numpy)\.float\d+)\(([^(),]*)(?:,[^()]*)?\)")


def tidy(piece: bytes) -> bytes:
    """Without colours, progress bars' blocks and wrappers of numbers; a redrawn line is lines,
    all but the last ending in ``_REDRAWN``."""
    if b"\x1b" in piece or b"\x00" in piece or b"\x08" in piece:
        piece = _ESCAPES.sub(b"", _BACK.sub(b"\r", piece))
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n").replace(b"\r", _REDRAWN)
    if b"%|" in piece:
        piece = _BARS.sub(b"% |", piece)
    if b"tensor(" in piece or b".float" in piece:
        piece = _WRAPPED.sub(rb"\1", piece)
    return piece


class Redrawn:
    """Which lines are no lines of the file, but a line's earlier states (``\\r``)."""

    def __init__(self) -> None:
        self._ids: list[NDArray[np.int64]] = []

    def cut(self, piece: bytes, at: int) -> bytes:
        """The piece, which begins after line ``at``, with all its lines ending alike."""
        if _REDRAWN not in piece:
            return piece
        signs = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(signs == ord("\n"))
        self._ids.append(at + 1 + np.flatnonzero(signs[ends - 1] == _REDRAWN[0]))
        return piece.replace(_REDRAWN, b"\n")

    def real(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lines' numbers in the file."""
        if not self._ids:
            return lines
        return lines - np.searchsorted(np.concatenate(self._ids), lines)
