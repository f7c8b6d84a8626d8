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
from shindan.logs.direction import blocks, directed, means_of
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
END = 0.05
"""A level at an end of a phase is the mean of what was measured in so much of it."""
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
    places = spread(x)
    u = log_time(x)
    pieces = pieces_of_table(u, y) if len(y) < TABLE else pieces_of_series(places, u, y)
    at = x if places is x else places.round(2)
    found = [_phase(same, kind, at, u, y) for kind, same in _alike(pieces, u, y)]
    return Phases(name, unit, total, tuple(found))


def _direction(u: Array, y: Array) -> int:
    """Whether (n,) points as one piece fall (-1) or rise (1) beyond slow noise, or not (0)."""
    if len(y) < 4:
        return 0
    if len(y) < TABLE:
        return directed(u, y)
    edges = blocks(len(y))
    return directed(means_of(u, edges), means_of(y, edges))


def in_order(x: Array, y: Array) -> tuple[Array, Array]:
    """The finite points (m,) in the order of their steps; ten million are not sorted in vain."""
    finite = np.isfinite(y) & np.isfinite(x)
    if not finite.all():
        x, y = x[finite], y[finite]
    if (x[1:] >= x[:-1]).all():
        return x, y
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def spread(x: Array) -> Array:
    """Rows that share a step (an epoch's batches) evenly between it and the next; (n,) ascending.

    The rows of the last step go on as far as those of the step before.
    """
    if len(x) < 2 or (x[1:] > x[:-1]).all():
        return x
    first = np.flatnonzero(np.append(True, x[1:] > x[:-1]))
    count = np.diff(np.append(first, len(x)))
    width = np.diff(x[first])
    width = np.append(width, width[-1]) if len(width) else np.ones(1)
    within = np.arange(len(x)) - np.repeat(first, count)
    return np.asarray(x + within * np.repeat(width / count, count))


def log_time(x: Array) -> Array:
    """ln of the step; a count that begins at zero begins one step later."""
    x = spread(x)
    if x[0] > 0:
        return np.asarray(np.log(x))
    steps = np.diff(x)
    return np.asarray(np.log(x - x[0] + float(np.median(steps[steps > 0]))))


def _alike(pieces: Sequence[Piece], u: Array, y: Array) -> list[tuple[PhaseKind, list[Piece]]]:
    """Neighbours that do the same, unless the later of two falls is clearly the steeper one."""
    groups: list[tuple[PhaseKind, list[Piece]]] = []
    before: Piece | None = None
    alone = [_kind(p, _direction(u[p.begin : p.end], y[p.begin : p.end])) for p in pieces]
    if len(pieces) > 1:
        alone = [_surely(p, k) for p, k in zip(pieces, alone, strict=True)]
    for piece, kind, own in zip(pieces, _kinds(pieces, alone), alone, strict=True):
        sure = kind == own
        steeper = sure and kind == "falling" and before is not None and _steeper(before, piece)
        if groups and groups[-1][0] == kind and not steeper:
            groups[-1][1].append(piece)
        else:
            groups.append((kind, [piece]))
        before = piece if sure else before
    return groups


def _kind(piece: Piece, direction: int) -> PhaseKind:
    """What it does by itself: where it goes beyond slow noise, it goes."""
    if _slow(piece):
        return "plateau"
    return "falling" if direction < 0 else "rising" if direction > 0 else "unclear"


def _surely(piece: Piece, kind: PhaseKind) -> PhaseKind:
    """A piece among others is a piece by more than chance: its own interval counts, too."""
    if kind != "unclear" or abs(piece.slope) <= _half(piece):
        return kind
    return "falling" if piece.slope < 0 else "rising"


def _kinds(pieces: Sequence[Piece], alone: Sequence[PhaseKind]) -> list[PhaseKind]:
    """What each does; a piece too noisy to tell does what a neighbour does, where it may."""
    kinds = [*alone]
    for i, piece in enumerate(pieces):
        if kinds[i] != "unclear":
            continue
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(pieces)]
        kinds[i] = next((kinds[j] for j in beside if _may_be(piece, pieces[j])), "unclear")
        if piece.slope < 0 and (_between_falls(alone, i) or _leads_down(piece, pieces[i + 1 :])):
            kinds[i] = "falling"
    return kinds


def _between_falls(alone: Sequence[PhaseKind], i: int) -> bool:
    return 0 < i < len(alone) - 1 and alone[i - 1] == alone[i + 1] == "falling"


def _leads_down(piece: Piece, later: Sequence[Piece]) -> bool:
    """Whether what comes next, beyond a cut that is no chance, stands lower."""
    if not later:
        return False
    middle = (piece.start + piece.stop) / 2
    return middle - later[0].start > FLAT * abs(middle)


def _may_be(piece: Piece, other: Piece) -> bool:
    """May it do what its neighbour does, by its slope as far as can be told, and by its end?"""
    if abs(piece.slope - other.slope) > _half(piece):
        return False
    if _slow(other):
        return abs(piece.start - other.start) <= FLAT * abs(other.start)
    return other.slope > 0 or piece.stop <= piece.start + FLAT * abs(piece.start)


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


def _phase(parts: Sequence[Piece], kind: PhaseKind, x: Array, u: Array, y: Array) -> Phase:
    """Slopes are means over the time of the parts, and so are their errors (not independent)."""
    a, b = parts[0].begin, parts[-1].end
    times = np.array([u[p.end - 1] - u[max(p.begin - 1, 0)] for p in parts])
    share = times / times.sum() * math.log(2)
    slope, low, high = (
        float(share @ [getattr(p, n) for p in parts]) for n in ("slope", "low", "high")
    )
    start, end = _ends(u[a:b], y[a:b])
    if kind in ("falling", "rising") and (end > start) != (kind == "rising"):
        kind = "unclear"  # it leapt the other way in between
    level = float(y[a:b].mean())
    return Phase(kind, float(x[a]), float(x[b - 1]), b - a, start, end, slope, low, high, level)


def _ends(u: Array, y: Array) -> tuple[float, float]:
    """Means of the values at the beginning and the end: of END of the points and of the time."""
    few = max(1, round(END * len(y)))
    near = END * float(u[-1] - u[0])
    first = min(few, int(np.searchsorted(u, u[0] + near, side="right")))
    last = min(few, len(y) - int(np.searchsorted(u, u[-1] - near, side="left")))
    return float(y[: max(1, first)].mean()), float(y[-max(1, last) :].mean())
