"""Small charts: from numbers to the geometry that ``templates/chart.svg`` draws."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 300
LEFT, TOP, BOTTOM = 64, 28, 44
RIGHT, RIGHT_LABELLED = 20, 150
LABEL_GAP = 14
LIMIT = 2000
"""Points of one line; more are thinned."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A named series; ``dots`` draws its points, not only the way between them.

    ``marks``: the points alone, which belong to another line.
    """

    label: str
    points: tuple[Point, ...]
    dots: bool = False
    marks: bool = False


@dataclass(frozen=True)
class Rule:
    """A horizontal line to read the series against."""

    label: str
    at: float


@dataclass(frozen=True)
class Chart:
    """What to draw; ``summary`` says the same in words."""

    title: str
    summary: str
    x: str
    y: str
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Stroke:
    """A line as a path; ``dots`` are the points to mark."""

    label: str
    path: str
    dots: tuple[Point, ...]


@dataclass(frozen=True)
class Level:
    """A rule: the height of its line and of its label."""

    label: str
    y: float
    label_y: float


@dataclass(frozen=True)
class Drawing:
    """A chart in the coordinates of its SVG."""

    chart: Chart
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    strokes: tuple[Stroke, ...]
    levels: tuple[Level, ...]


def draw(chart: Chart) -> Drawing:
    """Lay the chart out."""
    right = WIDTH - (RIGHT_LABELLED if chart.rules else RIGHT)
    bottom = HEIGHT - BOTTOM
    xs = [x for line in chart.lines for x, _ in line.points]
    ys = [y for line in chart.lines for _, y in line.points] + [r.at for r in chart.rules]
    x_range, x_marks = nice_axis(xs)
    y_range, y_marks = log_axis(ys) if chart.log else nice_axis(ys, padded=True)
    across = scale(x_range, (LEFT, right))
    up = scale(y_range, (bottom, TOP), chart.log)
    return Drawing(
        chart=chart,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=right,
        top=TOP,
        bottom=bottom,
        x_ticks=tuple(Tick(across(x), tick_label(x)) for x in x_marks),
        y_ticks=tuple(Tick(up(y), tick_label(y)) for y in y_marks),
        strokes=tuple(_stroke(line, across, up, chart.log) for line in chart.lines),
        levels=_levels(chart.rules, up, bottom),
    )


def drawable(value: float, log: bool) -> bool:
    """Whether the value has a place on the axis."""
    return math.isfinite(value) and (value > 0 or not log)


def scale(
    domain: tuple[float, float], pixels: tuple[float, float], log: bool = False
) -> Callable[[float], float]:
    """From values to pixels, one decimal."""
    low, high = (math.log10(d) for d in domain) if log else domain

    def place(value: float) -> float:
        value = math.log10(value) if log else value
        share = (value - low) / (high - low)
        return round(pixels[0] + share * (pixels[1] - pixels[0]), 1)

    return place


def nice_axis(
    values: Iterable[float], padded: bool = False
) -> tuple[tuple[float, float], tuple[float, ...]]:
    """A range that holds the values, and about five round numbers in it.

    ``padded`` lets the range end at round numbers, so that nothing touches the frame.
    """
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    if low == high:
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (0.0, 1.0)
    step = _nice_step((high - low) / 5)
    first = math.floor(low / step) if padded else math.ceil(low / step - 1e-9)
    last = math.ceil(high / step) if padded else math.floor(high / step + 1e-9)
    marks = tuple(round(n * step, 12) for n in range(first, last + 1))
    return ((marks[0], marks[-1]) if padded else (low, high)), marks


def log_axis(values: Iterable[float]) -> tuple[tuple[float, float], tuple[float, ...]]:
    """Whole decades that hold the positive values; at most about six of them marked."""
    positive = [v for v in values if drawable(v, log=True)] or [1.0]
    first = math.floor(math.log10(min(positive)))
    last = max(math.ceil(math.log10(max(positive))), first + 1)
    every = math.ceil((last - first) / 6)
    return (10.0**first, 10.0**last), tuple(10.0**n for n in range(first, last + 1, every))


def tick_label(value: float) -> str:
    """Short: ``1500``, ``0.25``, ``3e-4``."""
    if value and math.isfinite(value) and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.6g}"


def thin(points: Sequence[Point], limit: int = LIMIT) -> tuple[Point, ...]:
    """At most about ``limit`` points; each stretch keeps its lowest and highest, so spikes stay."""
    if len(points) <= limit:
        return tuple(points)
    size = math.ceil(2 * len(points) / (limit - 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        kept.add(min(stretch, key=lambda i: _ordered(points[i][1])))
        kept.add(max(stretch, key=lambda i: _ordered(points[i][1])))
    return tuple(points[i] for i in sorted(kept))


def _ordered(value: float) -> float:
    """Not-a-number counts as highest: where a loss broke must not be thinned away."""
    return math.inf if math.isnan(value) else value


def _nice_step(rough: float) -> float:
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)


def _stroke(
    line: Line, across: Callable[[float], float], up: Callable[[float], float], log: bool
) -> Stroke:
    """The path; where a value has no place the pen is lifted."""
    path: list[str] = []
    dots: list[Point] = []
    pen = "M"
    for x, y in thin(line.points):
        if not drawable(y, log):
            pen = "M"
            continue
        at = across(x), up(y)
        path.append(f"{pen}{at[0]:g} {at[1]:g}")
        dots.append(at)
        pen = "L"
    way = "" if line.marks else "".join(path)
    return Stroke(line.label, way, tuple(dots) if line.dots else ())


def _levels(
    rules: Iterable[Rule], up: Callable[[float], float], bottom: float
) -> tuple[Level, ...]:
    """Labels in the order of their lines, pushed apart where they would overlap."""
    levels: list[Level] = []
    floor = float(TOP - LABEL_GAP)
    ordered = sorted(rules, key=lambda rule: -rule.at)
    for rule in ordered:
        y = up(rule.at)
        floor = max(y, floor + LABEL_GAP)
        levels.append(Level(f"{rule.label} {tick_label(round(rule.at, 2))}", y, floor))
    return tuple(levels)
