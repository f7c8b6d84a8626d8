"""From evidence to charts: loss, learning rate, gradient norms, layers."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shindan.core.evidence.curve import Curve, DataLines, FixedBatch, LayerPicture, MicroStep
from shindan.core.evidence.logs import LogCurve
from shindan.core.evidence.pairs import Comparison
from shindan.core.evidence.phases import Course
from shindan.report import ahead, compared, shares
from shindan.report.chart import (
    Chart,
    Drawing,
    Line,
    Point,
    Rule,
    draw,
    drawable,
    tick_label,
)
from shindan.report.dotplot import DotDrawing, DotPlot, Row, draw_dots, most_changed
from shindan.report.view import View
from shindan.report.waterfall import FallDrawing, draw_fall
from shindan.report.words import Words

SPREAD = 50.0
"""Highest over lowest from which an axis is logarithmic."""
GROUPS = 6
MODULES = 60


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption's note; one of ``chart``, ``dots`` and ``fall`` is there."""

    title: str
    chart: Drawing | None = None
    dots: DotDrawing | None = None
    fall: FallDrawing | None = None
    note: str = ""


def figures(view: View, say: Words) -> tuple[Figure, ...]:
    """Every chart the view has evidence for."""
    curve, layers = view.get(Curve), view.get(LayerPicture)
    drawn = [_loss(view, say)]
    for evidence, subject in zip(view.logs, view.document.subjects, strict=False):
        held = evidence.get(LogCurve)
        if isinstance(held, LogCurve):
            course = evidence.get(Course)
            ahead_of = course if isinstance(course, Course) else None
            drawn += of_log(held, ahead_of, subject.name if len(view.logs) > 1 else "", say)
    comparison = view.get(Comparison)
    if comparison is not None:
        drawn.append(_compared(comparison, say))
        drawn += [Figure(w.title, fall=draw_fall(w)) for w in shares.waterfalls(comparison, say)]
    if curve is not None:
        drawn += [_learning_rate(curve, say), _gradients(curve, say)]
    if layers is not None:
        drawn.append(_layers(layers, say))
    return tuple(figure for figure in drawn if figure is not None)


def _compared(comparison: Comparison, say: Words) -> Figure | None:
    """The curves of all runs over what they have spent."""
    axis = comparison.overlay.axis if comparison.overlay else "updates"
    return _figure(
        say("chart_compared"), say("axis_loss_raw"), compared.lines(comparison), (), say,
        x=say(f"spent_{axis}"),
    )  # fmt: skip


def of_log(curve: LogCurve, course: Course | None, name: str, say: Words) -> list[Figure | None]:
    """Loss, learning rate and gradient norm of a log; ``name`` tells several logs apart."""
    unit = say(f"unit_{curve.unit}")

    def titled(key: str) -> str:
        return say("chart_of", chart=say(key), name=name) if name else say(key)

    best = () if curve.best is None else (curve.best,)
    losses = (
        Line(say("line_train"), curve.loss),
        Line(say("line_eval"), curve.evals, dots=True),
        Line(say("line_spikes"), curve.spikes, dots=True, marks=True),
        Line(say("line_best"), best, dots=True, marks=True),
        *ahead.forecasts(course, say),
    )
    known = ahead.stood(course, say)
    rates = [Line(say("axis_lr"), curve.lr)]
    if not _alike(curve.lr, curve.used_lr):
        rates.append(Line(say("line_used_lr"), curve.used_lr))
    rule = () if curve.limit is None else (Rule(say("rule_clip"), curve.limit),)
    norms = (Line(say("axis_grad"), curve.norms),)
    return [
        _figure(titled("chart_loss"), say("axis_loss_raw"), losses, known, say, x=unit),
        _figure(titled("chart_lr_logged"), say("axis_lr"), rates, (), say, x=unit),
        _figure(titled("chart_grad"), say("axis_grad"), norms, rule, say, x=unit),
    ]


def _loss(view: View, say: Words) -> Figure | None:
    curve, fixed, data = view.get(Curve), view.get(FixedBatch), view.get(DataLines)
    micro = curve.micro if curve else ()
    evals = curve.evals if curve else ()
    points = fixed.points if fixed else ()
    lines = (
        Line(say("line_train"), per_update(micro)),
        Line(say("line_eval"), tuple((e.update, e.loss) for e in evals), dots=True),
        Line(say("line_fixed"), tuple((p.update, p.loss) for p in points), dots=True),
    )
    in_nats = fixed is not None or any(m.ce is not None for m in micro)
    known = _known(data) if data and in_nats else {}
    rules = tuple(Rule(say(f"rule_{name}"), at) for name, at in known.items())
    note = say.joined(f"explained_{name}" for name in [*known, "all"]) if known else ""
    axis = say("axis_loss" if in_nats else "axis_loss_raw")
    return _figure(say("chart_loss"), axis, lines, rules, say, note)


def per_update(micro: Iterable[MicroStep]) -> tuple[Point, ...]:
    """The mean of each update's micro-steps: of their cross entropy where every one has it."""
    gathered: dict[int, list[MicroStep]] = {}
    for step in micro:
        gathered.setdefault(step.update, []).append(step)
    return tuple((update, _mean_loss(steps)) for update, steps in gathered.items())


def _mean_loss(steps: Sequence[MicroStep]) -> float:
    losses = [s.loss if s.ce is None else s.ce for s in steps]
    counts = [s.labels or 0 for s in steps]
    if not sum(counts):
        return sum(losses) / len(losses)
    pairs = zip(losses, counts, strict=True)
    return sum(loss * n for loss, n in pairs if n) / sum(counts)


def _known(data: DataLines) -> dict[str, float]:
    """The losses of models that know little, where the data tell them."""
    lines = {"uniform": data.uniform, "unigram": data.unigram, "bigram": data.bigram}
    return {name: at for name, at in lines.items() if at is not None}


def _learning_rate(curve: Curve, say: Words) -> Figure | None:
    """One line per group, groups with equal rates drawn once."""
    series: dict[tuple[int, int], list[Point]] = {}
    for step in curve.updates:
        for group, lr in enumerate(step.lr):
            series.setdefault((step.optimizer, group), []).append((step.index, lr))
    several = len({optimizer for optimizer, _ in series}) > 1
    distinct = {tuple(points): key for key, points in reversed(series.items())}
    lines = []
    for points, (optimizer, group) in sorted(distinct.items(), key=lambda item: item[1])[:GROUPS]:
        key = "line_optimizer_group" if several else "line_group"
        named = say(key, optimizer=optimizer, n=group) if len(distinct) > 1 else say("axis_lr")
        lines.append(Line(named, points))
    return _figure(say("chart_lr"), say("axis_lr"), lines, (), say)


def _gradients(curve: Curve, say: Words) -> Figure | None:
    before = tuple((u.index, u.grad_norm) for u in curve.updates if u.grad_norm is not None)
    after = tuple(
        (u.index, u.grad_norm_used) for u in curve.updates if u.grad_norm_used is not None
    )
    lines = [Line(say("line_before"), before)]
    if not _alike(before, after):
        lines.append(Line(say("line_after"), after))
    clips = {u.clip for u in curve.updates if u.clip is not None and math.isfinite(u.clip)}
    rules = tuple(Rule(say("rule_clip"), clip) for clip in clips) if len(clips) == 1 else ()
    return _figure(say("chart_grad"), say("axis_grad"), lines, rules, say)


def _alike(one: Sequence[Point], other: Sequence[Point]) -> bool:
    """Whether the lines would lie on one another."""
    if len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(a == b or math.isclose(a[1], b[1], rel_tol=0.01) for a, b in pairs)


def _figure(
    title: str,
    y: str,
    lines: Iterable[Line],
    rules: tuple[Rule, ...],
    say: Words,
    note: str = "",
    x: str = "",
) -> Figure | None:
    """The chart, or None when no line has a point to draw."""
    lines = tuple(line for line in lines if any(math.isfinite(at) for _, at in line.points))
    if not lines:
        return None
    told = [_line_summary(line, say, x) for line in lines]
    told += [say("desc_rule", label=r.label, at=tick_label(round(r.at, 4))) for r in rules]
    heights = [at for line in lines for _, at in line.points if math.isfinite(at)]
    heights += [rule.at for rule in rules]
    chart = Chart(
        title=title,
        summary=" ".join(told),
        x=x or say("axis_update"),
        y=y,
        lines=lines,
        rules=rules,
        log=min(heights) > 0 and max(heights) / min(heights) > SPREAD,
    )
    return Figure(title, chart=draw(chart), note=note)


def _line_summary(line: Line, say: Words, unit: str) -> str:
    seen = [(x, y) for x, y in line.points if math.isfinite(y)]
    heights = [y for _, y in seen]
    return say(
        "desc_log_line" if unit else "desc_line",
        unit=unit,
        label=line.label,
        start=f"{seen[0][0]:g}",
        first=f"{seen[0][1]:.4g}",
        end=f"{seen[-1][0]:g}",
        last=f"{seen[-1][1]:.4g}",
        low=f"{min(heights):.4g}",
        high=f"{max(heights):.4g}",
    )


def _layers(picture: LayerPicture, say: Words) -> Figure | None:
    rows = tuple(_rows(picture, say))
    sizes = [v for r in rows for v in r.values if v is not None and drawable(v, log=True)]
    if not sizes:
        return None
    looks = [say("line_first", update=picture.first_update)]
    if picture.last:
        looks.append(say("line_last", update=picture.last_update))
    shown = most_changed(rows, MODULES)
    plot = DotPlot(
        title=say("chart_layers"),
        summary=say("desc_layers", n=len(rows), low=f"{min(sizes):.4g}", high=f"{max(sizes):.4g}"),
        x=say("axis_rms"),
        looks=tuple(looks),
        rows=shown,
    )
    cut = len(shown) < len(rows)
    note = say("modules_left_out", shown=len(shown), total=len(rows)) if cut else ""
    return Figure(plot.title, dots=draw_dots(plot), note=note)


def _rows(picture: LayerPicture, say: Words) -> Iterator[Row]:
    """Modules in order of execution, those of the last look alone at the end."""
    first = {layer.name: layer.rms for layer in picture.first}
    last = {layer.name: layer.rms for layer in picture.last}
    for name in {**first, **last}:
        values = (first.get(name), last.get(name)) if picture.last else (first.get(name),)
        yield Row(name or say("whole_model"), values)
