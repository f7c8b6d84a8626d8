"""What the libraries themselves write is read back to the last number."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shindan.logs.reading import read
from shindan.logs.table import LogTable


def one(path: Path) -> LogTable:
    (found,) = read(path)
    return found


def test_tensorboard(tmp_path: Path) -> None:
    boards = pytest.importorskip("torch.utils.tensorboard")
    writer = boards.SummaryWriter(tmp_path)
    for step in range(100):
        loss = math.nan if step == 3 else 5 / (1 + step)
        writer.add_scalar("train/loss", loss, step)
        writer.add_scalar("lr", 0.5**step, step, new_style=True)
        if step % 20 == 0:
            writer.add_scalar("val/loss", step, step)
            writer.add_histogram("weights", np.arange(10), step)
    writer.add_text("args", '{"learning_rate": 0.1, "seed": 3}')
    writer.close()
    found = one(tmp_path)
    assert (found.format, len(found), found.lost) == ("tensorboard", 100, ())
    assert found.columns["step"].tolist() == list(range(100))
    expected = np.array([5 / (1 + s) for s in range(100)], np.float32).astype(float)
    expected[3] = math.nan
    assert np.array_equal(found.columns["train/loss"], expected, equal_nan=True)
    assert found.present["train/loss"].all()
    assert found.columns["lr"].tolist() == np.float32(0.5 ** np.arange(100)).tolist()
    assert found.columns["val/loss"][found.present["val/loss"]].tolist() == [0, 20, 40, 60, 80]
    assert found.settings == {"learning_rate": 0.1, "seed": 3}


def test_tensorboard_with_lines_in_one_chart(tmp_path: Path) -> None:
    boards = pytest.importorskip("torch.utils.tensorboard")
    with boards.SummaryWriter(tmp_path) as writer:
        for step in range(20):
            writer.add_scalars("loss", {"train": 5 - step / 8, "val": 5 - step / 16}, step)
            writer.add_scalar("lr", 0.5, step)
    found = one(tmp_path)
    assert set(found.columns) == {"step", "timestamp", "train/loss", "val/loss", "lr"}
    assert found.columns["val/loss"].tolist() == [5 - step / 16 for step in range(20)]


def test_tensorboard_as_its_own_reader(tmp_path: Path) -> None:
    boards = pytest.importorskip("torch.utils.tensorboard")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for run in range(2):  # a run that was resumed before its last steps
        writer = boards.SummaryWriter(tmp_path, filename_suffix=f".{run}")
        for step in range(40 * run, 50 + 50 * run):
            writer.add_scalar("loss", step / 7, step)
        writer.close()
    theirs = reader.EventAccumulator(str(tmp_path), purge_orphaned_data=False)
    theirs.Reload()
    events = sorted((e.wall_time, e.step, e.value) for e in theirs.Scalars("loss"))
    found = one(tmp_path).columns
    ours = zip(found["timestamp"], found["step"], found["loss"], strict=True)
    assert sorted(ours) == events
    assert len(events) == 110


def test_lightning(tmp_path: Path) -> None:
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    logger = loggers.CSVLogger(tmp_path, flush_logs_every_n_steps=7)
    logger.log_hyperparams({"lr": 0.1, "model": {"layers": 2}})
    for step in range(30):
        logger.log_metrics({"train_loss": 1 / (1 + step), "epoch": step // 10}, step)
        if step % 10 == 9:
            logger.log_metrics({"val_loss": math.inf, "epoch": step // 10}, step)
    logger.save()
    found = one(tmp_path)
    assert (found.format, len(found)) == ("csv", 33)
    assert found.present["val_loss"].sum() == 3
    assert np.isposinf(found.columns["val_loss"][found.present["val_loss"]]).all()
    assert found.columns["train_loss"][found.present["train_loss"]].tolist() == [
        1 / (1 + step) for step in range(30)
    ]
    assert found.settings == {"lr": 0.1, "model.layers": 2}


def test_the_trainers_state_and_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = pytest.importorskip("transformers.trainer_callback")
    state = callbacks.TrainerState(global_step=50, max_steps=100)
    bar = callbacks.ProgressCallback()
    whole: Any = SimpleNamespace(max_steps=100, is_world_process_zero=True, global_step=0)
    bar.on_train_begin(None, whole, None)
    for step in range(10, 60, 10):
        logs = {"loss": 9 / step, "grad_norm": math.nan, "learning_rate": 5e-5, "epoch": step / 25}
        state.log_history.append({**logs, "step": step})
        whole.global_step = step
        bar.on_step_end(None, whole, None)
        bar.on_log(None, whole, None, logs=dict(logs))
    bar.on_train_end(None, whole, None)
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    said = capsys.readouterr()
    (tmp_path / "train.log").write_text(said.err + said.out)
    kept = one(tmp_path / "trainer_state.json")
    printed = one(tmp_path / "train.log")
    assert (kept.format, printed.format) == ("hf-trainer-state", "hf-printed")
    assert kept.settings["max_steps"] == 100
    for name in ("loss", "grad_norm", "learning_rate", "epoch"):
        there = printed.present[name]
        assert np.allclose(printed.columns[name][there], kept.columns[name], 1e-3, equal_nan=True)
        assert there.sum() == 5
