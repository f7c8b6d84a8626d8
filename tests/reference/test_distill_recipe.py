"""The distillation recipe: teachers from anywhere, methods, the report's faults, resumption."""

import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from shindan.reference import corpus
from shindan.reference.data import tokenizers
from shindan.reference.models.bert import MaskedLM
from shindan.reference.models.hf import save_bert
from shindan.reference.recipes import load, use
from shindan.reference.recipes.distill_bert import DistillSettings, losses_of
from shindan.reference.recipes.teacher import SENTENCES, TeacherError, found
from shindan.reference.train.distillation import (
    DistillationObjective,
)
from shindan.reference.train.loop import Loop, train
from shindan.reference.train.metrics import Line, read
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.resolve import given, save
from shindan.reference.train.task import Task
from shindan.reference.train.terms import Losses

HERE = Ranks(0, 1, torch.device("cpu"))


def settings(**told: object) -> DistillSettings:
    """The tiny size with what is told, on the embedded corpus."""
    recipe = load("distill-bert")
    made = recipe.resolve("tiny", given({"output_dir": Path("x"), **told}, "test")).settings
    assert isinstance(made, DistillSettings)
    return made


def few(folder: Path) -> dict[str, object]:
    """A little text in ``folder``, evaluated at both ends of a run only."""
    file = folder / "few.txt"
    file.write_text("\n\n".join(islice(corpus.documents(), 12)))
    return {"data": str(file), "vocabulary": 200, "evaluate_every": 100, "plot": False}


def run(folder: Path, name: str = "distill-bert", **told: object) -> tuple[Task, list[Line]]:
    """A short run of the recipe in ``folder``; its task and its validation lines."""
    recipe = load(name)
    short = {"max_updates": 3, "teacher_run": {"max_updates": 2}, **few(folder.parent), **told}
    resolved = recipe.resolve("tiny", given({"output_dir": folder, **short}, "test"))
    folder.mkdir(exist_ok=True)
    save(resolved, folder)
    torch.manual_seed(resolved.settings.seed)
    task = recipe.task(resolved.settings, folder, HERE)
    train(recipe.loop(task, resolved.settings, HERE, folder), lambda line: None)
    return task, [line for line in read(folder) if line["kind"] == "validation"]


def test_method_is_settings_and_each_weight_can_be_told() -> None:
    assert losses_of(settings(method="distilbert")) == Losses(
        soft=5, temperature=2, hard=2, cosine=1
    )
    told = losses_of(settings(method="logits", temperature=4, hidden="2"))
    assert (told.temperature, told.hidden, told.soft) == (4, 2, 1)
    assert not losses_of(settings(method="alone")).needs_teacher


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the teacher it trained first."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder / "first")
    return folder


def test_default_trains_a_teacher_first_and_tells_its_accuracy(runs: Path) -> None:
    told = [line for line in read(runs / "first") if line["kind"] == "validation"][-1]
    teacher = [line for line in read(runs / "first" / "teacher") if line["kind"] == "validation"][
        -1
    ]
    assert teacher["update"] == 2
    assert told["teacher_accuracy"] == pytest.approx(teacher["accuracy"])
    assert told["teacher_nll"] == pytest.approx(teacher["loss"], rel=1e-4)
    assert told["labels"] == teacher["labels"]
    opened = use.opened(runs / "first")
    assert use.fill(opened, "The [MASK] is a function.", 3)


@pytest.mark.parametrize("method", ["alone", "minilm", "distilbert", "tinybert"])
def test_every_method_runs_and_begins_with_the_same_student(runs: Path, method: str) -> None:
    teacher = str(runs / "first" / "teacher")
    _, lines = run(runs / method, method=method, teacher=teacher)
    assert lines[0]["accuracy"] == read(runs / "first")[0]["accuracy"]
    assert lines[0]["loss"] == pytest.approx(read(runs / "first")[0]["loss"])
    assert lines[-1]["teacher_accuracy"] == read(runs / "first")[0]["teacher_accuracy"]
    assert lines[-1]["loss"] != lines[0]["loss"]


def test_as_reported_has_exactly_its_faults(runs: Path) -> None:
    told = {"teacher": str(runs / "first" / "teacher")}
    task, _ = run(runs / "reported", "distill-bert-as-reported", **told)
    objective = task.objective
    assert isinstance(objective, DistillationObjective)
    assert objective.losses == Losses(
        soft=0.9, temperature=1, hard=0.1, hidden=1, reduction="elements", projection="down"
    )
    own = use.opened(runs / "reported").settings
    right = use.opened(runs / "first").settings
    faults = {"method", "temperature", "soft", "hard", "hidden", "model", "teacher"}
    differing = {k for k, v in own.model_dump().items() if v != getattr(right, k, v)}
    assert differing - {"output_dir"} <= faults | {"model"}
    assert dataclasses.replace(own.model, tied=True) == right.model


def test_killed_and_resumed_is_the_same_run(runs: Path) -> None:
    teacher = str(runs / "first" / "teacher")
    recipe = load("distill-bert")
    told = {"max_updates": 4, "teacher": teacher, **few(runs)}
    ends = []
    for name, stops in (("whole", (4,)), ("parts", (2, 4))):
        folder = runs / name
        folder.mkdir()
        for stop in stops:
            resume = stop == 4 and len(stops) == 2
            layer = given({**told, "output_dir": folder, "resume": resume}, "test")
            resolved = recipe.resolve("tiny", layer)
            torch.manual_seed(0)
            task = recipe.task(resolved.settings, folder, HERE)
            loop = Loop(task, resolved.settings, HERE, folder)
            with ThreadPoolExecutor(1) as pool:
                while loop.done < stop:
                    loop.update(pool)
            loop.save()
        ends.append(torch.load(folder / "checkpoint.pt", weights_only=True)["objective"])
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key


def test_teacher_of_hugging_faces_files(runs: Path, tmp_path: Path) -> None:
    opened = use.opened(runs / "first" / "teacher")
    assert isinstance(opened.model, MaskedLM)
    save_bert(opened.model, tmp_path)
    with pytest.raises(TeacherError, match="cannot be used"):
        found(str(tmp_path))  # no tokenizer beside it
    opened.tokenizer.save(str(tmp_path / "tokenizer.json"))
    model, tokenizer = found(str(tmp_path))
    ids = torch.tensor([[2, 7, 8, 3]])
    torch.testing.assert_close(model.eval()(ids), opened.model(ids))
    assert tokenizer.get_vocab_size() == opened.tokenizer.get_vocab_size()


def test_refusals_are_one_sentence(runs: Path, tmp_path: Path) -> None:
    teacher = str(runs / "first" / "teacher")
    with pytest.raises(TeacherError, match=r"neither config\.json nor a run"):
        found(str(tmp_path))
    heads: dict[str, Any] = {"model.heads": 4}
    with pytest.raises(TeacherError, match=r"set model\.heads=2, or take method=minilm"):
        run(tmp_path / "a", method="tinybert", teacher=teacher, **heads)
    with pytest.raises(TeacherError, match="copies layers"):
        run(tmp_path / "b", from_teacher=True, teacher=teacher)
    other = tokenizers.train_wordpiece(["a few words of another kind"], 40)
    other.save(str(tmp_path / "other.json"))
    with pytest.raises(TeacherError, match="leave tokenizer out"):
        run(tmp_path / "c", teacher=teacher, tokenizer=tmp_path / "other.json")
    for english, japanese in SENTENCES.values():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", japanese))
