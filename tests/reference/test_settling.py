"""The experiments' arithmetic: pairs by seed, intervals, what an arm's words become."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from settling import against_hf, report_0, report_1, report_3, tables
from settling.plan import Plan, Size
from settling.runs import folder_name, jobs

from shindan.reference.recipes import load
from shindan.reference.train.resolve import from_words, given


def nothing(folder: Path) -> Mapping[str, float]:
    return {}


PLAN = Plan(
    question="?",
    arms={"base": ["bert-mlm"], "other": ["bert-mlm", "clip={limit}"], "far": ["bert-mlm"]},
    sizes={"s": Size("cpu", ["clip=1", "data={data}/x"], values={"limit": "0.5"})},
    measure=nothing,
    against={"far": "other"},
)


def ran(folder: Path, arm: str, *losses: float) -> None:
    for seed, loss in enumerate(losses):
        run = folder / f"{folder_name(arm)}-{seed}"
        run.mkdir()
        (run / "done.json").write_text(json.dumps({"loss": loss}))


def test_differences_are_paired_by_seed_with_students_interval(tmp_path: Path) -> None:
    ran(tmp_path, "base", 1.0, 2.0, 3.0)
    ran(tmp_path, "other", 1.1, 2.2, 3.3)
    ran(tmp_path, "far", 1.1, 2.2, 3.3)
    base, other, far = tables.effects(PLAN, tmp_path, (0, 1, 2), "loss")
    assert base.difference is None
    # mean 0.2, sd 0.1, t(0.975, 2) = 4.303
    assert other.difference == pytest.approx(0.2)
    assert (other.low, other.high) == pytest.approx((0.2 - 0.2484, 0.2 + 0.2484), abs=1e-4)
    assert far.difference == pytest.approx(0.0), "compared with the arm that against names"


def test_an_arm_compared_with_another_is_told_against_the_base_too(tmp_path: Path) -> None:
    ran(tmp_path, "base", 0.0, 0.0, 0.0)
    ran(tmp_path, "other", 0.1, 0.2, 0.3)
    ran(tmp_path, "far", 0.2, 0.2, 0.2)
    found = tables.effects(PLAN, tmp_path, (0, 1, 2), "loss")
    assert found[1].from_base is None
    assert found[2].from_base is not None
    assert found[2].from_base.difference == pytest.approx(0.2)
    table = tables.markdown(PLAN, found, "loss").splitlines()
    assert "from base" in table[0]
    assert len({line.count("|") for line in table}) == 1
    # far against other and other against base have sd 0.1, far against base 0
    said = tables.noise(found)
    assert "0.050 against base (0.000 to 0.100); 0.100 against other (0.100 to 0.100)" in said


def test_one_seed_gives_no_interval_and_no_noise(tmp_path: Path) -> None:
    ran(tmp_path, "base", 1.0)
    ran(tmp_path, "other", 1.5)
    found = tables.effects(PLAN, tmp_path, (0, 1, 2), "loss")
    assert found[1].difference == 0.5
    assert found[1].low is None
    assert tables.noise(found) == ""


def test_an_arms_words_win_and_are_filled_in(tmp_path: Path) -> None:
    _, made = jobs(PLAN, "s", tmp_path, Path("/d"), (7,), ["other"])
    assert made[0].words == ["bert-mlm", "clip=0.5", "data=/d/x", "seed=7"]
    assert made[0].folder == tmp_path / "other-7"


@pytest.mark.parametrize(
    "plan",
    [report_0.PLAN, report_1.PLAN, report_3.PLAN, against_hf.PLAN],
    ids=["report_0", "report_1", "report_3", "against_hf"],
)
def test_every_arm_of_every_size_is_a_run_that_can_begin(plan: Any, tmp_path: Path) -> None:
    folders = set()
    assert set(plan.against) | set(plan.against.values()) <= set(plan.arms)
    for size in plan.sizes:
        first, rest = jobs(plan, size, tmp_path, tmp_path, (0,), plan.arms)
        for job in [*first, *rest]:
            recipe = load("bert-mlm" if job.words[0].endswith(".py") else job.words[0])
            named = [w.removeprefix("size=") for w in job.words if w.startswith("size=")]
            words = [word for word in job.words[1:] if not word.startswith("size=")]
            place = given({"output_dir": job.folder}, "test")
            recipe.resolve(named[0] if named else "small", place, from_words(words))
        folders |= {job.folder.name for job in rest}
    assert len(folders) == len(plan.arms), "two arms would share a folder"


def test_a_run_that_skipped_or_died_is_still_measured(tmp_path: Path) -> None:
    update = {"kind": "train", "loss": 2.0, "grad_norm": 1.0, "refused": False}
    bad = {**update, "grad_norm": "nan", "refused": True}
    lines = [
        {"kind": "validation", "update": 0, "nll": 3.0},
        {**update, "update": 1},
        {**bad, "update": 2, "unfinite_before": 0.5, "unfinite_after": 1.0},
        {**bad, "update": 3, "loss": "nan", "refused": False},
        {**update, "update": 4},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert report_1.measure(tmp_path) == {
        "runs with a NaN": 1, "validation nll": 3, "updates lost, %": 50, "first at update": 2,
        "its loss is finite": 1, "gradients not finite, %": 50, "after clipping, %": 100,
    }  # fmt: skip


def test_means_leave_a_gap_where_an_arm_has_no_value(tmp_path: Path) -> None:
    ran(tmp_path, "base", 1.0, float("nan"), 3.0)
    ran(tmp_path, "other", float("nan"))
    told = replace(PLAN, beside=("loss", "more"))
    assert tables.summary(told, tmp_path, (0, 1, 2)).splitlines()[2:] == [
        "| base | 2.000 | – |",
        "| other | not finite | – |",
    ]
