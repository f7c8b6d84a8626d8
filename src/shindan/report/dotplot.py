"""One row per name, a dot per look: the layers of a model side by side."""

import math
from dataclasses import dataclass

from shindan.report.chart import WIDTH, Tick, drawable, log_axis, scale, tick_label

NAMES = 260
ROW = 18
TOP, BOTTOM, RIGHT = 10, 44, 56
LONGEST = 36


@dataclass(frozen=True)
class Row:
    """A name and its value at each look (None: not seen then)."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class DotPlot:
    """What to draw, on a logarithmic axis; ``looks`` names the values of a row."""

    title: str
    summary: str
    x: str
    looks: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Mark:
    """One dot; ``off`` spells a value that has no place on the axis."""

    look: int
    x: float
    off: str


@dataclass(frozen=True)
class Lane:
    """One row: its short name, full name, height and dots."""

    short: str
    name: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class DotDrawing:
    """A dot plot in the coordinates of its SVG."""

    chart: DotPlot
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]


def draw_dots(plot: DotPlot) -> DotDrawing:
    """Lay the plot out."""
    right = WIDTH - RIGHT
    bottom = TOP + ROW * len(plot.rows)
    domain, marks = log_axis(v for row in plot.rows for v in row.values if v is not None)
    across = scale(domain, (NAMES, right), log=True)

    def mark(look: int, value: float) -> Mark:
        if drawable(value, log=True):
            return Mark(look, across(value), "")
        return Mark(look, NAMES if value == 0 else right, tick_label(value))

    lanes = tuple(
        Lane(
            short=_short(row.name),
            name=row.name,
            y=TOP + ROW * (i + 0.5),
            marks=tuple(mark(k, v) for k, v in enumerate(row.values) if v is not None),
        )
        for i, row in enumerate(plot.rows)
    )
    return DotDrawing(
        chart=plot,
        width=WIDTH,
        height=bottom + BOTTOM,
        left=NAMES,
        right=right,
        top=TOP,
        bottom=bottom,
        ticks=tuple(Tick(across(v), tick_label(v)) for v in marks),
        lanes=lanes,
    )


def most_changed(rows: tuple[Row, ...], limit: int) -> tuple[Row, ...]:
    """The rows that changed most between first and last look, in their own order."""
    kept = sorted(range(len(rows)), key=lambda i: -_change(rows[i]))[:limit]
    return tuple(rows[i] for i in sorted(kept))


def _change(row: Row) -> float:
    seen = [v for v in row.values if v is not None]
    if not all(math.isfinite(v) for v in seen):
        return math.inf
    first, last = seen[0], seen[-1]
    return abs(math.log(last / first)) if first > 0 and last > 0 else abs(last - first)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
