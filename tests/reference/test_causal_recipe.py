"""The causal recipes: every fault of report 2 alone, and how far the weights have gone."""

import math
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shindan.reference.recipes import causal_mix, load
from shindan.reference.recipes.causal_mix_as_reported import (
    ReportedController,
    ReportedLoop,
    ReportedSettings,
)
from shindan.reference.train import metrics
from shindan.reference.train.controller import CITIES, WINDOW, PathController
from shindan.reference.train.errors import TrainError
from shindan.reference.train.loop import train
from shindan.reference.train.ranks import joined
from shindan.reference.train.resolve import from_words
from shindan.reference.train.task import Batch, Sums, Task

SMALL = (
    *("model.hidden=16", "model.layers=1", "vocabulary=400", "length=16", "model.max_positions=16"),
    *("mix=none", "max_updates=4", "evaluate_every=2", "evaluation_rows=8", "precision=fp32"),
    *("warmup_updates=0", "plot=false"),
)
OFF = ("hooks=false", "always_scaled=false", "pinned=false", "logs_schedule=false")
RIGHT = (
    *("optimizer=adamw", "learning_rate=3e-3", "schedule=cosine", "batch_size=8"),
    *("accumulation=1", "label_smoothing=0", "beta2=0.95", "weight_decay=0.1", "log_every=1"),
)


def run(folder: Path, recipe: str, *words: str) -> list[metrics.Line]:
    """Metrics of a small run, the clock left out."""
    chosen = load(recipe)
    told = {word.partition("=")[0]: word for word in (*SMALL, *words)}
    settings = chosen.resolve("tiny", from_words([f"output_dir={folder}", *told.values()]))
    folder.mkdir(exist_ok=True)
    with joined(settings.settings) as ranks:
        torch.manual_seed(settings.settings.seed)
        task = chosen.task(settings.settings, folder, ranks)
        train(chosen.loop(task, settings.settings, ranks, folder), lambda line: None)
    return [{k: v for k, v in x.items() if k != "seconds"} for x in metrics.read(folder)]


def test_with_every_fault_off_it_is_the_right_recipe(tmp_path: Path) -> None:
    right = run(tmp_path / "a", "causal-mix", *RIGHT)
    mended = run(tmp_path / "b", "causal-mix-as-reported", *OFF, *RIGHT)
    for one, two in zip(right, mended, strict=True):
        assert one == {name: two[name] for name in one}
    first, second = (torch.load(tmp_path / n / "model.pt", weights_only=True) for n in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_way_of_the_weights_is_told_and_bounded_by_clip_and_rate(tmp_path: Path) -> None:
    told = run(tmp_path, "causal-mix-as-reported", "weight_decay=0", "hooks=false")
    way = [x["moved"] for x in told if x["kind"] == "train"]
    ends = [x["displacement"] for x in told if x["kind"] == "validation"]
    assert all(0 < step <= 0.005 * 1.0 * (1 + 1e-4) for step in way)
    assert ends[0] == 0 < ends[-1] <= sum(way) * (1 + 1e-4)
    settings = load("causal-mix").resolve("tiny", from_words([f"output_dir={tmp_path}", *SMALL]))
    torch.manual_seed(0)
    first = causal_mix.model(settings.settings, tmp_path).state_dict()  # as it began
    last = torch.load(tmp_path / "model.pt", weights_only=True)
    del first["decoder.weight"]  # tied
    gap = math.sqrt(sum(float((last[name] - first[name]).square().sum()) for name in first))
    assert ends[-1] == pytest.approx(gap, rel=1e-4)


@pytest.mark.parametrize(
    ("off", "name", "value"),
    [
        ("pinned=false", "moved", 0.05),
        ("pinned=true", "moved", 0.005),
        ("logs_schedule=false", "lr", 0.005),
        ("logs_schedule=true", "lr", 0.05),
    ],
)
def test_a_fault_alone(off: str, name: str, value: float, tmp_path: Path) -> None:
    """With the hooks off the norm is above 1, clipping at work, and a step as long as the rate."""
    said = ("hooks=false", "weight_decay=0", "clip=0.01", "max_updates=2")
    told = run(tmp_path, "causal-mix-as-reported", *said, off)
    scale = 0.01 if name == "moved" else 1.0
    assert told[1][name] == pytest.approx(value * scale, rel=1e-3)


def test_the_hooks_cut_and_say_how_much(tmp_path: Path) -> None:
    more = ("max_updates=10", "evaluate_every=10")
    cut = run(tmp_path / "a", "causal-mix-as-reported", *more)
    free = run(tmp_path / "b", "causal-mix-as-reported", *more, "always_scaled=false")
    assert [x["update"] for x in cut if "cut" in x] == [10]
    assert cut[-2]["cut"] > 0
    assert free[-2]["cut"] == 0  # nothing reaches 10 without the scale
    assert cut[1]["grad_norm"] < free[1]["grad_norm"]


def test_a_stopped_run_goes_on_as_it_would_have(tmp_path: Path) -> None:
    said = ("pinned=false", "controller=tsp", "max_updates=12", "evaluate_every=4")
    whole = run(tmp_path / "a", "causal-mix-as-reported", *said)
    run(tmp_path / "b", "causal-mix-as-reported", *said[:2], "max_updates=8", "evaluate_every=4")
    again = run(tmp_path / "b", "causal-mix-as-reported", *said, "resume=true")
    assert again == whole


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    run(tmp_path / "a", "causal-mix", *RIGHT)
    begin = f"begin_from={tmp_path / 'a'}"
    told = run(tmp_path / "b", "causal-mix-as-reported", begin)
    before = metrics.read(tmp_path / "a")[-1]
    assert told[0]["loss"] == pytest.approx(before["loss"], rel=1e-6)
    assert told[0]["displacement"] == 0
    for number, other in enumerate(("model.hidden=32", "vocabulary=390")):
        with pytest.raises(TrainError, match="is of another model or tokenizer"):
            run(tmp_path / str(number), "causal-mix-as-reported", begin, other)


class Poisoned(nn.Module):
    """One weight; a batch can make its gradient infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1))

    def forward(self, batch: Batch) -> Sums:
        return {"loss": (self.weight * batch["ids"].float().mean()).sum()}


@pytest.mark.parametrize("hooks", [False, True])
def test_with_hooks_the_scaler_cannot_back_off(hooks: bool, tmp_path: Path) -> None:
    def batch(number: int) -> Batch:
        fill = math.inf if number == 1 else 1.0
        return {"ids": torch.full((1, 2), fill), "labels": torch.zeros(1, 2, dtype=torch.long)}

    objective = Poisoned()
    task = Task(objective, objective, 10, batch, [batch(-1)])
    more: dict[str, Any] = {"max_updates": 3, "optimizer": "sgd", "plot": False}
    settings = ReportedSettings(output_dir=tmp_path, hooks=hooks, **more)
    with joined(settings) as ranks:
        train(ReportedLoop(task, settings, ranks, tmp_path), lambda line: None)
    told = [x for x in metrics.read(tmp_path) if x["kind"] == "train"]
    assert [x["refused"] for x in told] == [False, not hooks, False]
    assert [x["scale"] for x in told] == [65536.0, *[65536.0 if hooks else 32768.0] * 2]


@pytest.mark.parametrize(("spread", "pinned"), [(0.9, True), (0.02, False)])
def test_the_reported_limits_take_usual_noise_for_an_emergency(spread: float, pinned: bool) -> None:
    """Norms with a CV of .52, the report's median, and of .01, which no log of it ever had."""
    reported, repaired = ReportedController(0), PathController(0)
    dice = torch.Generator().manual_seed(0)
    cities: list[set[str]] = [set(), set()]
    for n in range(300):
        norm = 1.0 + spread * (2 * float(torch.rand((), generator=dice)) - 1)
        for controller, seen in zip((reported, repaired), cities, strict=True):
            controller.observe(20.0 - n / 50, norm, refused=False)
            if n >= WINDOW:
                seen.add(controller.city.name)
    last = CITIES[-1].name
    assert (cities[0] == {last}) is pinned
    assert len(cities[1]) > 1


def test_the_standard_library_is_code_without_its_tests() -> None:
    settings = causal_mix.CausalSettings(output_dir=Path("run"))
    found = list(causal_mix.texts(settings, "standard-library"))
    assert len(found) > 100
    assert all(text.strip() for text in found)
    library = Path(sysconfig.get_path("stdlib"))
    assert (library / "argparse.py").read_text(encoding="utf-8") in found
    test = library / "test" / "test_argparse.py"
    assert not test.exists() or test.read_text(encoding="utf-8") not in found
