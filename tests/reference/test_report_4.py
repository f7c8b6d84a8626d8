"""The experiments of report 4: what frequencies reach, when a run does better, plans to run."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from settling import along, fading, frequencies, report_4, report_4_figure
from settling.plan import Plan
from settling.runs import merged

from shindan.reference.recipes import load
from shindan.reference.train.resolve import from_words, given


def test_lines_of_frequencies_by_hand() -> None:
    # the labels 0, 0, 1 after 0, 1, 0; counts with one more each: 3 and 2 of 5
    learnt = np.array([[0, 0], [1, 0], [0, 1]])
    asked = np.array([[0, 0], [1, 1]])
    found = frequencies.lines(learnt, asked, 2)
    assert found.training == pytest.approx(-(2 * math.log(3 / 5) + math.log(2 / 5)) / 3)
    assert found.unigram == pytest.approx(-(math.log(3 / 5) + math.log(2 / 5)) / 2)
    # after 0: (1 + 2 kinds * 3/5) / (2 seen + 2 kinds); after 1: 1 kind * 2/5 / (1 + 1)
    assert found.bigram == pytest.approx(-(math.log(2.2 / 4) + math.log(0.4 / 2)) / 2)
    assert found.commonest == 0.5


def test_what_never_stood_in_training_is_answered_by_shares() -> None:
    found = frequencies.lines(np.array([[0, 0], [0, 1]]), np.array([[1, 0]]), 3)
    assert found.bigram == found.unigram == pytest.approx(-math.log(2 / 5))


@pytest.mark.parametrize(("loss", "left"), [(3.9, 200), (4.1, 300)])
def test_the_plateau_ends_where_the_mean_is_below_the_line(loss: float, left: int) -> None:
    losses = [5.0] * 50 + [4.2] * 50 + [loss] * 200
    told = [{"update": n, "loss": value} for n, value in enumerate(losses, 1)]
    # a mean over 100 updates: below 3.95 only once none of the plateau is among them
    assert abs(frequencies.plateau(told, 3.95) - left) <= 20
    assert frequencies.plateau(told[::10], 3.95) == pytest.approx(left, abs=20)


def test_a_signal_of_twelve_reported_layers_fades_by_a_third_each() -> None:
    first, *_, last = (size for size, _ in fading.sizes(fading.VARIANTS["as reported"]))
    assert (last / first) ** (1 / 11) == pytest.approx(0.02 * math.sqrt(512 / 2), rel=0.02)
    for name in ("residual", "scaled init", "both"):
        sizes = [size for size, _ in fading.sizes(fading.VARIANTS[name])]
        assert max(sizes) < 10 * min(sizes)


@pytest.mark.parametrize("plan", [report_4.PLAN, report_4_figure.PLAN])
def test_every_arm_of_every_size_is_a_run(plan: Plan) -> None:
    assert set(plan.against) | set(plan.against.values()) <= set(plan.arms)
    for size in plan.sizes.values():
        for arm in size.arms:
            recipe, *words = plan.arms[arm]
            words = [word.format(data="d") for word in merged(size.words, words)]
            (named,) = (w.removeprefix("size=") for w in words if w.startswith("size="))
            said = from_words(w for w in words if not w.startswith("size="))
            load(recipe).resolve(named, given({"output_dir": "x"}, "test"), said)


def test_perplexity_along_the_way_of_what_has_come_so_far(tmp_path: Path) -> None:
    for name, curve in {
        "a-0": {1: 9.0, 2: 8.0},
        "a-1": {1: 7.0},
        "a-b-0": {1: 6.0, 2: 5.0},
    }.items():
        told = [
            {"kind": kind, "update": n, "perplexity": value, "loss": value}
            for n, value in curve.items()
            for kind in ("train", "validation")
        ]
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in told))
    assert along.table(tmp_path, ["a", "a b", "c"], [1, 2]).splitlines()[2:] == [
        "| a | 8.00 (2) | 8.00 (1) |",
        "| a b | 6.00 (1) | 5.00 (1) |",
        "| c | – | – |",
    ]
    assert along.gaps(tmp_path, "a b", "a", [1, 3]) == "| a b minus a | -3.00 | – |"
    # means 9, 7 and, of the run that came to 2, (9 + 8) / 2
    assert along.losses(tmp_path, ["a"], [1, 2]) == "| training loss, a | 8.000 (2) | 8.500 (1) |"
