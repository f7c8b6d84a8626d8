import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from shindan.core.evidence.curve import (
    Curve,
    DataLines,
    Layer,
    LayerPicture,
    MicroStep,
    Update,
)
from shindan.report import chart, dotplot
from shindan.report.figures import figures, per_update
from shindan.report.view import View
from shindan.report.words import words

from . import sample


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ((0, 400), (0, 100, 200, 300, 400)),
        ((0.1, 0.9), (0.2, 0.4, 0.6, 0.8)),
        ((5, 5), (3, 4, 5, 6, 7)),
        ((0, 0), (0, 0.2, 0.4, 0.6, 0.8, 1)),
        ((math.nan, 1, 2), (1, 1.2, 1.4, 1.6, 1.8, 2)),
    ],
)
def test_ticks_are_round_and_inside(values: tuple[float, ...], marks: tuple[float, ...]) -> None:
    (low, high), found = chart.nice_axis(values)
    assert found == marks
    assert low <= found[0] < found[-1] <= high


def test_padded_and_logarithmic_axes_hold_their_values() -> None:
    (low, high), marks = chart.nice_axis((1.03, 5.2), padded=True)
    assert (low, high) == (marks[0], marks[-1]) == (1, 6)
    assert chart.log_axis((0.03, 5, math.inf, 0)) == ((0.01, 10.0), (0.01, 0.1, 1.0, 10.0))
    assert len(chart.log_axis((1e-20, 1e20))[1]) <= 7


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "0"), (3e-4, "3e-4"), (1500, "1500"), (0.25, "0.25"), (2.5e7, "2.5e7"), (math.inf, "inf")],
)
def test_tick_labels_are_short(value: float, label: str) -> None:
    assert chart.tick_label(value) == label


def test_thinning_keeps_spikes_ends_and_breaks() -> None:
    points = [(float(i), math.sin(i / 500)) for i in range(100_000)]
    points[54_321] = (54_321.0, 99.0)
    points[70_001] = (70_001.0, math.nan)
    thinned = chart.thin(points)
    assert len(thinned) <= chart.LIMIT
    assert thinned[0] == points[0]
    assert thinned[-1] == points[-1]
    assert (54_321.0, 99.0) in thinned
    assert any(math.isnan(y) for _, y in thinned)
    assert chart.thin(points[:2000]) == tuple(points[:2000])


def test_the_pen_is_lifted_where_a_value_has_no_place() -> None:
    line = chart.Line("a", ((0, 1.0), (1, math.nan), (2, 2.0), (3, 3.0)), dots=True)
    drawn = chart.draw(chart.Chart("t", "s", "x", "y", (line,)))
    assert re.sub(r"[\d. ]+", "", drawn.strokes[0].path) == "MML"
    assert len(drawn.strokes[0].dots) == 3


def test_labels_of_rules_do_not_overlap() -> None:
    rules = tuple(chart.Rule("r", at) for at in (1.0, 1.001, 1.002, 5.0))
    line = chart.Line("a", ((0, 0.0), (1, 6.0)))
    levels = chart.draw(chart.Chart("t", "s", "x", "y", (line,), rules)).levels
    heights = [level.label_y for level in levels]
    assert all(b - a >= chart.LABEL_GAP for a, b in pairwise(heights))


def test_everything_drawn_lies_inside() -> None:
    for figure in figures(sample.VIEW, words("en")):
        if figure.chart:
            numbers = [
                tuple(map(float, pair.split()))
                for stroke in figure.chart.strokes
                for pair in re.split("[ML]", stroke.path)[1:]
            ]
            assert all(figure.chart.left <= x <= figure.chart.right for x, _ in numbers)
            assert all(figure.chart.top <= y <= figure.chart.bottom for _, y in numbers)


def test_an_update_is_the_mean_over_the_labels_of_its_micro_steps() -> None:
    steps = (
        MicroStep(0, 0, 9.0, ce=1.0, labels=30),
        MicroStep(1, 0, 9.0, ce=2.0, labels=10),
        MicroStep(2, 1, 4.0),
        MicroStep(3, 1, 6.0),
        MicroStep(4, 2, 1.0, ce=math.nan, labels=0),
        MicroStep(5, 2, 1.0, ce=2.0, labels=5),
    )
    assert per_update(steps) == ((0, 1.25), (1, 5.0), (2, 2.0))


def test_equal_groups_are_drawn_once_and_wide_ranges_are_logarithmic() -> None:
    curve = sample.VIEW.evidence[Curve]
    assert isinstance(curve, Curve)
    same = tuple(replace(u, lr=(1e-3, 1e-3, 2e-3)) for u in curve.updates)
    view = View(sample.SICK, {Curve: replace(curve, updates=same)})
    loss, rate, grad = (f.chart for f in figures(view, words("en")))
    assert loss is not None
    assert rate is not None
    assert grad is not None
    assert [s.label for s in rate.strokes] == ["group 0", "group 2"]
    assert (loss.chart.log, rate.chart.log, grad.chart.log) == (False, False, True)


def test_of_many_modules_those_that_changed_most_are_shown_in_order() -> None:
    rows = tuple(dotplot.Row(f"m{i}", (1.0, 1.0 + (i % 7))) for i in range(70))
    shown = dotplot.most_changed(rows, 10)
    assert [row.name for row in shown] == [f"m{i}" for i in range(6, 70, 7)]
    broken = (*rows, dotplot.Row("nan", (None, math.nan)))
    assert "nan" in {row.name for row in dotplot.most_changed(broken, 1)}


def test_values_without_a_place_are_spelt() -> None:
    rows = (dotplot.Row("a." * 30, (0.0, math.nan)), dotplot.Row("b", (None, 2.0)))
    drawn = dotplot.draw_dots(dotplot.DotPlot("t", "s", "x", ("first", "last"), rows))
    assert [m.off for m in drawn.lanes[0].marks] == ["0", "nan"]
    assert len(drawn.lanes[0].short) == dotplot.LONGEST
    assert [m.look for m in drawn.lanes[1].marks] == [1]


@pytest.mark.parametrize(("used", "lines"), [(1.0001, 1), (0.5, 2)])
def test_clipping_is_drawn_where_it_did_something(used: float, lines: int) -> None:
    updates = tuple(Update(i, 0, (1e-3,), 1, 1.0, used, 1.0) for i in range(20))
    curve = Curve((), updates, (), 20, 20)
    drawn = {f.title: f for f in figures(View(sample.SICK, {Curve: curve}), words("en"))}
    gradients = drawn[words("en")("chart_grad")].chart
    rates = drawn[words("en")("chart_lr")].chart
    assert gradients is not None
    assert rates is not None
    assert len(gradients.chart.lines) == lines
    assert [line.label for line in rates.chart.lines] == ["learning rate"]


def test_only_the_lines_drawn_are_explained() -> None:
    evidence = {**sample.evidence(100), DataLines: DataLines(16, 2.77, 2.77, 2.58, None, 4000)}
    loss = next(iter(figures(View(sample.SICK, evidence), words("en"))))
    assert "Unigram:" in loss.note
    assert "Bigram:" not in loss.note


def test_the_whole_model_has_a_name() -> None:
    picture = LayerPicture((Layer("", "GPT", 1.0, 2.0),), (), 0, 0)
    drawn = figures(View(sample.SICK, {LayerPicture: picture}), words("ja"))[0].dots
    assert drawn is not None
    assert [row.name for row in drawn.chart.rows] == ["（モデル全体）"]
