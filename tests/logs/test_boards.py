"""TensorBoard's folders: one run in several of them, or several runs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from shindan.logs.judged import judged
from shindan.logs.reading import read

from .encoding import field, single, tfrecord

STEPS = range(0, 100, 10)


def events(folder: Path, series: Mapping[str, Mapping[int, float]]) -> None:
    """An event file with these values by tag and step."""
    folder.mkdir(parents=True)
    out = tfrecord(field(1, 1e9) + field(3, "brain.Event:2"))
    for tag, values in series.items():
        for step, value in values.items():
            summary = field(1, field(1, tag) + single(2, value))
            out += tfrecord(field(1, 1e9 + step) + field(2, step) + field(5, summary))
    (folder / "events.out.tfevents.1.host").write_bytes(out)


def falling(steps: range, start: float = 5.0) -> dict[int, float]:
    return {step: start - step / 1000 for step in steps}


def test_keras_writes_a_folder_for_each_part(tmp_path: Path) -> None:
    events(tmp_path / "train", {"epoch_loss": falling(range(10))})
    checked = {"epoch_loss": falling(range(10)), "evaluation_loss_vs_iterations": falling(STEPS)}
    events(tmp_path / "validation", checked)
    (found,) = read(tmp_path)
    roles = judged(found).roles.columns
    assert roles["loss"] == "train/epoch_loss"
    assert roles["validation"] == "validation/epoch_loss"
    assert found.present["train/epoch_loss"].sum() == 10
    both = found.present["train/epoch_loss"] & found.present["validation/epoch_loss"]
    assert both.sum() == 10


def test_what_keras_counts_by_epochs_stands_apart_from_batches(tmp_path: Path) -> None:
    events(tmp_path / "train", {"batch_loss": falling(range(100)), "epoch_loss": falling(range(9))})
    checked = {"epoch_loss": falling(range(9)), "evaluation_loss_vs_iterations": falling(STEPS)}
    events(tmp_path / "validation", checked)
    batches, epochs = read(tmp_path)
    roles = judged(batches).roles.columns
    assert roles["loss"] == "train/batch_loss"
    assert roles["validation"] == "validation/evaluation_loss_vs_iterations"
    assert epochs.name == f"{batches.name} (epochs)"
    assert judged(epochs).roles.columns["loss"] == "train/epoch_loss"


@pytest.mark.parametrize("tag", ["loss", "Loss/all"])
def test_add_scalars_writes_a_folder_for_each_line(tag: str, tmp_path: Path) -> None:
    events(tmp_path / "run", {"lr": falling(STEPS)})
    for part in ("train", "val"):
        folder = f"{tag.replace('/', '_')}_{part}"
        events(tmp_path / "run" / folder, {tag: falling(STEPS)})
    (found,) = read(tmp_path)
    roles = judged(found).roles.columns
    assert (roles["loss"], roles["validation"]) == (f"train/{tag}", f"val/{tag}")
    assert roles["lr"] == "lr"
    assert len(found) == len(STEPS)


def test_an_estimator_evaluates_into_a_folder_below(tmp_path: Path) -> None:
    events(tmp_path / "model", {"loss": falling(STEPS)})
    events(tmp_path / "model" / "eval", {"loss": falling(range(0, 100, 50))})
    (found,) = read(tmp_path)
    roles = judged(found).roles.columns
    assert (roles["loss"], roles["validation"]) == ("loss", "eval/loss")


def test_runs_beside_each_other_stay_apart(tmp_path: Path) -> None:
    for start, run in enumerate(("gpt_train", "gpt_test", "version_0")):
        events(tmp_path / run, {"loss": falling(STEPS, 5.0 + start)})
    found = read(tmp_path)
    assert len(found) == 3
    assert all(set(table.columns) == {"step", "timestamp", "loss"} for table in found)


def downloaded(path: Path, curve: Mapping[int, float], seconds: float = 2.0) -> None:
    """As TensorBoard's page gives a curve: a step in each ``seconds``, and no tag."""
    lines = (f"{1.65e9 + step * seconds},{step},{value}" for step, value in curve.items())
    path.write_text("\n".join(["Wall time,Step,Value", *lines]) + "\n")


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("train_loss.csv", "eval_loss.csv"),
        ("run-.-tag-train_loss.csv", "run-.-tag-eval_loss (1).csv"),
        ("run-train-tag-loss.csv", "run-validation-tag-loss.csv"),
    ],
)
def test_a_downloaded_curve_has_its_tag_in_its_files_name(
    train: str, validation: str, tmp_path: Path
) -> None:
    downloaded(tmp_path / train, falling(range(10, 400, 10)))
    downloaded(tmp_path / validation, falling(range(50, 401, 50), 5.5))
    (found,) = read(tmp_path)
    roles = judged(found).roles
    assert {*roles.columns} >= {"loss", "validation", "step"}
    assert (found.present[roles.columns["loss"]].sum(), len(found)) == (39, 40)
    (alone,) = read(tmp_path / train)
    assert {*judged(alone).roles.columns} == {"loss", "step"}


def test_downloaded_curves_of_runs_that_went_otherwise_stay_apart(tmp_path: Path) -> None:
    """The step of one is not the step the other had at that time."""
    downloaded(tmp_path / "train_loss.csv", falling(range(10, 400, 10)))
    downloaded(tmp_path / "eval_loss.csv", falling(range(50, 401, 50), 5.5), seconds=0.5)
    downloaded(tmp_path / "run-b-tag-loss.csv", falling(range(10, 400, 10)))
    assert len(read(tmp_path)) == 3
