"""A loss series -> its phases: where it falls, stands, rises, and where that changes.

The curve is cut into straight pieces over the logarithm of the step, because learning curves are
nearly straight there (a power law falls by equal shares in equal doublings, so it only ever slows
down) and a plateau is flat on any axis. What a long series does is found by ``logs/cuts.py``, what
a table of a few evaluations does by ``logs/knots.py``; here the pieces become phases.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.phases import Phase, PhaseKind, Phases

Array = NDArray[np.float64]

FEWEST = 8
"""Points below which no phase is told."""
TABLE = 60
"""Points below which a series is a table: few points, little noise, pieces that meet."""
SLOW = 0.1
"""A plateau falls per doubling by less than this share of the run's mean fall per doubling."""
NEGLIGIBLE = 1e-3
"""A piece that changes by less than this share of its level is flat, however exact."""
FASTER = 2.0
"""A fall that becomes this much steeper, beyond both intervals, is a phase of its own."""


@dataclass(frozen=True)
class Piece:
    """A straight piece of the curve: points ``begin`` to ``end`` (exclusive), fitted levels at its
    ends, and the slope over u = ln step with its 95 % interval.
    """

    begin: int
    end: int
    start: float
    stop: float
    slope: float
    low: float
    high: float


def phases(name: str, unit: str, x: Array, y: Array) -> Phases | None:
    """The phases of a series; ``x`` (n,) steps, ``y`` (n,) values.

    None when fewer than FEWEST values are finite, or all stand at one step.
    """
    from shindan.logs.cuts import pieces_of_series, shortened
    from shindan.logs.knots import pieces_of_table

    finite = np.isfinite(y) & np.isfinite(x)
    order = np.argsort(x[finite], kind="stable")
    x, y = x[finite][order], y[finite][order]
    total = len(y)
    if total < FEWEST or x[0] == x[-1]:
        return None
    x, y = shortened(x, y)
    u = log_time(x)
    pieces = (pieces_of_table if len(y) < TABLE else pieces_of_series)(u, y)
    levels = [level for p in pieces for level in (p.start, p.stop)]
    usual = (max(levels) - min(levels)) / float(u[-1] - u[0])
    found = [_phase(same, kind, x, u) for kind, same in _alike(pieces, usual)]
    return Phases(name, unit, total, tuple(found))


def log_time(x: Array) -> Array:
    """ln of the step; a count that begins at zero begins one step later."""
    if x[0] > 0:
        return np.log(x)
    steps = np.diff(x)
    return np.log(x - x[0] + float(np.median(steps[steps > 0])))


def _alike(pieces: Sequence[Piece], usual: float) -> list[tuple[PhaseKind, list[Piece]]]:
    """Neighbours that do the same, unless the later of two falls is clearly the steeper one."""
    groups: list[tuple[PhaseKind, list[Piece]]] = []
    for piece in pieces:
        kind = _kind(piece, usual)
        if groups and groups[-1][0] == kind and not _steeper(groups[-1][1][-1], piece, kind):
            groups[-1][1].append(piece)
        else:
            groups.append((kind, [piece]))
    return groups


def _kind(piece: Piece, usual: float) -> PhaseKind:
    unmoved = abs(piece.stop - piece.start) < NEGLIGIBLE * abs(piece.start)
    if unmoved or piece.low <= 0 <= piece.high or abs(piece.slope) < SLOW * usual:
        return "plateau"
    return "falling" if piece.slope < 0 else "rising"


def _steeper(before: Piece, after: Piece, kind: PhaseKind) -> bool:
    return kind == "falling" and after.high < before.low and after.slope < FASTER * before.slope


def _phase(parts: Sequence[Piece], kind: PhaseKind, x: Array, u: Array) -> Phase:
    """Slopes are means over the time of the parts, and so are their errors (not independent)."""
    a, b = parts[0].begin, parts[-1].end
    times = np.array([u[p.end - 1] - u[max(p.begin - 1, 0)] for p in parts])
    share = times / times.sum() * math.log(2)
    slope, low, high = (float(share @ [getattr(p, n) for p in parts]) for n in ("slope", "low", "high"))
    return Phase(
        kind, float(x[a]), float(x[b - 1]), b - a, parts[0].start, parts[-1].stop, slope, low, high
    )
