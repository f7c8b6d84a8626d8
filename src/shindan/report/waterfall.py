"""Shares that add up: bars that start where the last one ended, and their sum."""

import math
from dataclasses import dataclass

from shindan.report.chart import WIDTH, Tick, nice_axis, scale, tick_label

NAMES = 250
ROW = 30
THICK = 16
TOP, BOTTOM, RIGHT = 12, 44, 150


@dataclass(frozen=True)
class Bar:
    """From ``start`` to ``end``; ``spread`` is half the interval of its length."""

    label: str
    start: float
    end: float
    spread: float = 0.0
    whole: bool = False
    """The sum of the others, from nought."""


@dataclass(frozen=True)
class Waterfall:
    """What to draw; ``summary`` says the same in words."""

    title: str
    summary: str
    x: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Block:
    """A bar in the coordinates of its SVG; ``low`` and ``high`` are the ends of its interval."""

    label: str
    value: str
    x: float
    width: float
    end: float
    y: float
    low: float
    high: float
    look: int
    """0: for the first run, 1: against it, 2: the sum."""


@dataclass(frozen=True)
class FallDrawing:
    """A waterfall laid out."""

    chart: Waterfall
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    zero: float
    thick: float
    ticks: tuple[Tick, ...]
    blocks: tuple[Block, ...]


def draw_fall(plot: Waterfall) -> FallDrawing:
    """Lay it out."""
    ends = [0.0]
    for bar in plot.bars:
        ends += [bar.start, bar.end - bar.spread, bar.end + bar.spread]
    right, bottom = WIDTH - RIGHT, TOP + ROW * len(plot.bars)
    domain, marks = nice_axis(ends, padded=True)
    across = scale(domain, (NAMES, right))
    blocks = []
    for i, bar in enumerate(plot.bars):
        x, end = across(bar.start), across(bar.end)
        blocks.append(
            Block(
                label=bar.label,
                value=f"{bar.end - bar.start:+.4f}",
                x=min(x, end),
                width=round(max(abs(end - x), 1.0), 1),
                end=end,
                y=TOP + ROW * i + (ROW - THICK) / 2,
                low=across(bar.end - bar.spread),
                high=across(bar.end + bar.spread),
                look=2 if bar.whole else int(math.copysign(1, bar.end - bar.start) > 0),
            )
        )
    ticks = tuple(Tick(across(v), tick_label(v)) for v in marks)
    return FallDrawing(
        plot, WIDTH, bottom + BOTTOM, NAMES, right, TOP, bottom, across(0.0), THICK, ticks,
        tuple(blocks),
    )  # fmt: skip
