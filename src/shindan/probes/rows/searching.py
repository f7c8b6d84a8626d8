"""Finding rows of the training input in the arrays they were cut from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.ids import Source
from shindan.probes.rows.holders import Holder
from shindan.probes.rows.landing import Ints

LIMIT = 2_000_000
"""Ids of an array that are searched."""
WINDOW = 16
VARIED = 4
"""Different ids a window must hold: constant runs are found anywhere."""
VOCABULARY = 1_000_000
"""No tokenizer has more ids: larger numbers are no ids."""
WRAPS = (128, 256, 32768, 65536)


@dataclass(eq=False)
class Match:
    """A holder in which rows were found."""

    holder: Holder
    source: Source
    flat: NDArray[Any]


def windows(rows: Ints, pad: int | None, most: int = 24) -> list[Ints]:
    """Stretches of rows (B, T) that are varied and free of padding."""
    width = min(WINDOW, rows.shape[1] // 2)
    found: list[Ints] = []
    if width < VARIED:
        return found
    for row in rows:
        for start in ((rows.shape[1] - width) // 2, 1):
            piece = row[start : start + width]
            if len(np.unique(piece)) >= min(VARIED, width) and pad not in piece:
                found.append(piece.copy())
                break
        if len(found) == most:
            break
    return found


def search(holder: Holder, pieces: list[Ints], classes: int, highest: int) -> Match | None:
    """Look for the pieces in the holder as they are, then modulo what could have folded them."""
    flat = holder.read(LIMIT)
    if flat is None or len(flat) < WINDOW or not pieces:
        return None
    low, high = int(flat.min()), int(flat.max())
    if high > VOCABULARY or _counter(flat):
        return None
    plain = [p for p in pieces if position(flat, p) is not None]
    left = [p for p in pieces if not any(p is q for q in plain)]
    modulus, wrapped = _folding(flat, left, (classes, highest + 1, *WRAPS), low, high)
    if not plain and not wrapped:
        return None
    source = Source(
        name=holder.name,
        kind=holder.kind,
        dtype=holder.dtype,
        capacity=holder.capacity,
        size=len(flat),
        lowest=low,
        highest=high,
        rows=len(plain) + wrapped,
        modulus=modulus,
        beyond=float(((flat >= modulus) | (flat < 0)).mean()) if modulus else 0.0,
    )
    return Match(holder, source, flat)


def _folding(
    flat: NDArray[Any], left: list[Ints], moduli: tuple[int, ...], low: int, high: int
) -> tuple[int, int]:
    """(modulus, how many of the pieces that are not found otherwise it explains), else (0, 0)."""
    for modulus in dict.fromkeys(moduli):
        if not left or (high < modulus and low >= 0):
            continue
        ids = flat.astype(np.int64) % modulus
        places = [(at, len(p)) for p in left if (at := position(ids, p)) is not None]
        folded = [at for at, n in places if _folded(flat[at : at + n], modulus)]
        if folded:
            return modulus, len(folded)
    return 0, 0


def position(ids: NDArray[Any], piece: Ints) -> int | None:
    """Where the piece first stands in the ids."""
    end = len(ids) - len(piece) + 1
    if end <= 0:
        return None
    at = np.flatnonzero(ids[:end] == piece[0])
    for k in range(1, len(piece)):
        if not len(at):
            return None
        at = at[ids[at + k] == piece[k]]
    return int(at[0]) if len(at) else None


def _folded(raw: NDArray[Any], modulus: int) -> bool:
    return bool((raw >= modulus).any() or (raw < 0).any())


def _counter(flat: NDArray[Any]) -> bool:
    """Sorted numbers (positions, offsets, cumulative sums) are no token ids."""
    some = flat[:100_000].astype(np.int64)
    return bool((np.diff(some) >= 0).mean() > 0.98)
