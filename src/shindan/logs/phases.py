"""A loss series -> its phases: where it falls, stands, rises, and where that changes.

The curve is cut into straight pieces over the logarithm of the step, because learning curves are
nearly straight there (a power law falls by equal shares in equal doublings, so it only ever slows
down) and a plateau is flat on any axis. What a long series does is found by ``logs/cuts.py``, what
a table of a few evaluations does by ``logs/knots.py``; here the pieces become phases.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.phases import Phase, PhaseKind, Phases
from shindan.logs.cuts import pieces_of_series, shortened
from shindan.logs.knots import pieces_of_table
from shindan.logs.pieces import Piece

Array = NDArray[np.float64]

FEWEST = 8
"""Points below which no phase is told."""
TABLE = 60
"""Points below which a series is a table: few points, little noise, pieces that meet."""
SLOW = 0.01
"""A plateau changes by less than this share of its level per doubling of the steps: the slowest
of the published laws, L ~ C^-0.05 (Kaplan et al. 2020), still falls by 0.034 ..."""
FLAT = 0.02
"""... and by less than this share over the whole piece."""
SELECTED = 1.68
"""Pieces are chosen where they look steepest: of about fifty places one passes 95 %, so they must
pass 99.9 % (Bonferroni), an interval this much wider."""
FASTER = 2.0
"""A fall that becomes this much steeper, beyond both intervals, is a phase of its own."""


def phases(name: str, unit: str, x: Array, y: Array) -> Phases | None:
    """The phases of a series; ``x`` (n,) steps, ``y`` (n,) values.

    None when fewer than FEWEST values are finite, or all stand at one step.
    """
    x, y = in_order(x, y)
    total = len(y)
    if total < FEWEST or x[0] == x[-1]:
        return None
    x, y = shortened(x, y)
    u = log_time(x)
    pieces = pieces_of_table(u, y) if len(y) < TABLE else pieces_of_series(x, u, y)
    found = [_phase(same, kind, x, u) for kind, same in _alike(pieces)]
    return Phases(name, unit, total, tuple(found))


def in_order(x: Array, y: Array) -> tuple[Array, Array]:
    """The finite points (m,) in the order of their steps; ten million are not sorted in vain."""
    finite = np.isfinite(y) & np.isfinite(x)
    if not finite.all():
        x, y = x[finite], y[finite]
    if (x[1:] >= x[:-1]).all():
        return x, y
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def log_time(x: Array) -> Array:
    """ln of the step; a count that begins at zero begins one step later."""
    if x[0] > 0:
        return np.asarray(np.log(x))
    steps = np.diff(x)
    return np.asarray(np.log(x - x[0] + float(np.median(steps[steps > 0]))))


def _alike(pieces: Sequence[Piece]) -> list[tuple[PhaseKind, list[Piece]]]:
    """Neighbours that do the same, unless the later of two falls is clearly the steeper one."""
    groups: list[tuple[PhaseKind, list[Piece]]] = []
    before: Piece | None = None
    for piece, kind in zip(pieces, _kinds(pieces), strict=True):
        sure = kind == _kind(piece)
        steeper = sure and kind == "falling" and before is not None and _steeper(before, piece)
        if groups and groups[-1][0] == kind and not steeper:
            groups[-1][1].append(piece)
        else:
            groups.append((kind, [piece]))
        before = piece if sure else before
    return groups


def _kinds(pieces: Sequence[Piece]) -> list[PhaseKind]:
    """What each does; a piece too noisy to tell does what a neighbour does, where it may."""
    kinds = [_kind(p) for p in pieces]
    for i, piece in enumerate(pieces):
        if kinds[i] == "plateau" and not _slow(piece):
            for j in (i - 1, i + 1):
                if 0 <= j < len(pieces) and _may_be(piece, pieces[j]) and kinds[i] == "plateau":
                    kinds[i] = kinds[j]
    return kinds


def _may_be(piece: Piece, other: Piece) -> bool:
    """May it do what its neighbour does, by its slope as far as can be told, and by its end?"""
    if abs(piece.slope - other.slope) > _half(piece):
        return False
    return other.slope > 0 or piece.stop <= piece.start + FLAT * abs(piece.start)


def _kind(piece: Piece) -> PhaseKind:
    if _slow(piece) or abs(piece.slope) <= _half(piece):
        return "plateau"
    return "falling" if piece.slope < 0 else "rising"


def _slow(piece: Piece) -> bool:
    level, change = abs(piece.start), abs(piece.stop - piece.start)
    return abs(piece.slope) * math.log(2) < SLOW * level and change < FLAT * level


def _half(piece: Piece) -> float:
    return SELECTED * (piece.high - piece.low) / 2


def _steeper(before: Piece, after: Piece) -> bool:
    return (
        after.slope + _half(after) < before.slope - _half(before)
        and after.slope < FASTER * before.slope
    )


def _phase(parts: Sequence[Piece], kind: PhaseKind, x: Array, u: Array) -> Phase:
    """Slopes are means over the time of the parts, and so are their errors (not independent)."""
    a, b = parts[0].begin, parts[-1].end
    times = np.array([u[p.end - 1] - u[max(p.begin - 1, 0)] for p in parts])
    share = times / times.sum() * math.log(2)
    slope, low, high = (
        float(share @ [getattr(p, n) for p in parts]) for n in ("slope", "low", "high")
    )
    start, end = parts[0].start, parts[-1].stop
    if kind != "plateau" and (end > start) != (kind == "rising"):
        kind = "plateau"  # it leapt the other way in between
    return Phase(kind, float(x[a]), float(x[b - 1]), b - a, start, end, slope, low, high)
