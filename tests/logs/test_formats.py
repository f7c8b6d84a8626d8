"""Every format is recognised by its content and gives its numbers, names and settings."""

import math
from pathlib import Path

import numpy as np
import pytest

from shindan.core.errors import ShindanError
from shindan.logs.formats import formats
from shindan.logs.reading import read
from shindan.logs.table import LogTable

from .fuzzing import assert_sound
from .samples import ROWS, loss, samples

_LOSS = {"csv lightning": "train_loss", "tensorboard": "train/loss", "modded-nanogpt": "train_loss",
         "fairseq": "train loss", "megatron": "lm loss", "build-nanogpt": "train",
         "printed-table": "Training Loss"}  # fmt: skip
_SETTINGS: dict[str, dict[str, object]] = {
    "hf-trainer-state": {"max_steps": ROWS, "global_step": ROWS},
    "nanogpt": {"learning_rate": 0.001, "units.time": "ms", "units.mfu": "%"},
    "modded-nanogpt": {"learning_rate": 0.0036},
    "word-language-model": {"batch_size": 20, "lr": 20, "model": "GRU"},
    "json columns": {"seed": 1},
    "phase8": {"learning_rate": 0.05},
    "wandb": {"lr": 0.001},
    "trackio": {"lr": 0.1},
    "mlflow-sqlite": {"lr": 0.1},
    "shindan-record": {"name": "train.py", "ended": "normally"},
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    return samples(tmp_path_factory.mktemp("made"))


def table(sound: dict[str, tuple[str, bytes]], name: str, room: Path) -> LogTable:
    file, data = sound[name]
    path = room / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    (found,) = read(path)
    return found


def names() -> list[str]:
    return [*dict.fromkeys(("json columns", "csv tabs", "csv lightning", "csv spaces", "csv gz")),
            *(form.name for form in formats())]  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_every_format(name: str, sound: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    found = table(sound, name, tmp_path)
    assert_sound(found)
    assert found.format == name.split()[0]
    column = _LOSS.get(name, "loss")
    there = found.present[column]
    assert there.sum() == ROWS, "a logged NaN is present"
    values = found.columns[column][there]
    expected = [loss(step) for step in range(ROWS)]
    digits = 0.006 if name == "word-language-model" else 1e-6
    assert np.allclose(values, expected, atol=digits, rtol=1e-6, equal_nan=True)
    assert math.isnan(values[7])
    settings = _SETTINGS.get(name, {})
    assert {key: found.settings.get(key) for key in settings} == settings
    lost = {reason.key for reason in found.lost}
    assert lost == ({"log-record-thinned"} if name == "shindan-record" else set())


def test_every_format_has_a_sample(sound: dict[str, tuple[str, bytes]]) -> None:
    assert {form.name for form in formats()} <= set(sound)


def test_words_stay_words(sound: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    for name in ("csv", "jsonl", "json", "hf-trainer-state", "wandb"):
        assert list(table(sound, name, tmp_path).words["phase"])[:ROWS] == ["warm"] * ROWS
    assert table(sound, "text", tmp_path).words["mode"][3] == "fast"


def test_kinds_of_lines_are_rows_with_other_columns(
    sound: dict[str, tuple[str, bytes]], tmp_path: Path
) -> None:
    found = table(sound, "nanogpt", tmp_path)
    assert found.lines is not None
    assert list(found.lines) == list(range(3, 3 + ROWS + ROWS // 10))
    assert found.present["val loss"].sum() == ROWS // 10
    assert not (found.present["val loss"] & found.present["mfu"]).any()
    lightning = table(sound, "csv lightning", tmp_path)
    assert not (lightning.present["train_loss"] & lightning.present["val_loss"]).any()


def test_rare_lines_are_rows_where_they_measure(tmp_path: Path) -> None:
    lines = [f"{i} loss {9 - i / 99:.3f}" for i in range(300)]
    lines[200:200] = ["step 199: val loss 7.5", "She sold 200 apples for 3.5 each", "reward is 7"]
    lines[100:100] = ["step 99: val loss 8.5"]
    path = tmp_path / "train.log"
    path.write_text("\n".join(["seed: 42", *lines, "best of 3 runs: test acc 0.75 in 12 min"]))
    (found,) = read(path)
    assert set(found.columns) == {"index", "loss", "step", "val loss", "reward", "test acc"}
    assert found.columns["step"][found.present["val loss"]].tolist() == [99, 199]
    assert found.settings == {"seed": 42}


def test_a_folder_is_searched(sound: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    for name, (file, data) in sound.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    (tmp_path / "notes.txt").write_text("Nothing to see here.\n" * 20)
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": [{"id": 0}, {"id": 1}]}')
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)) * 10)
    tables = read(tmp_path)
    assert len(tables) == len(sound)
    assert {t.format for t in tables} == {form.name for form in formats()}


def test_files_of_one_run_are_one_table(
    sound: dict[str, tuple[str, bytes]], tmp_path: Path
) -> None:
    run = tmp_path / "mlruns" / "0" / "abc"
    for name in ("loss", "val/loss"):
        path = run / "metrics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound["mlflow-files"][1])
    (run / "params").mkdir()
    (run / "params" / "lr").write_text("0.1")
    for number in (1, 2):
        (tmp_path / f"events.out.tfevents.{number}.host").write_bytes(sound["tensorboard"][1])
    events, runs = sorted(read(tmp_path), key=lambda t: t.format, reverse=True)
    assert set(runs.columns) == {"step", "timestamp", "loss", "val/loss"}
    assert (len(runs), runs.settings) == (ROWS, {"lr": 0.1})
    assert len(events) == 2 * ROWS, "a resumed run's steps that come again are rows of their own"


def test_checkpoints_hold_the_history_so_far(
    sound: dict[str, tuple[str, bytes]], tmp_path: Path
) -> None:
    whole = sound["hf-trainer-state"][1].decode()
    half = whole[: whole.index('"epoch": 2.0')].rstrip("{ \n,") + "]}"
    for name, text in (("checkpoint-20", half), ("checkpoint-40", whole)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text(text)
    assert [t.name for t in read(tmp_path)] == ["checkpoint-40/trainer_state.json"]


def test_settings_beside(sound: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text("lr: 0.1\nobject: !!python/object:a.B\n  size: 3\n")
    (tmp_path / "metrics.config.txt").write_text("batch_size    20\nmodel    GRU\n")
    found = table(sound, "csv", tmp_path).settings
    assert found == {"batch_size": 20, "model": "GRU", "lr": 0.1, "object.size": 3}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (None, "no-log"),
        (b"", "log-empty"),
        (b"\0" * 100, "log-not-understood"),
        (b"Nothing to see here.\n" * 20, "log-not-understood"),
        (b'{"model_type": "gpt2"}', "log-not-understood"),
        (bytes(range(256)) * 99, "log-not-understood"),
    ],
)
def test_nothing_to_read_is_one_sentence(tmp_path: Path, content: bytes | None, key: str) -> None:
    path = tmp_path / "log"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ShindanError) as told:
        read(path)
    assert told.value.reason.key == key
    if content is not None:
        with pytest.raises(ShindanError) as told:
            read(tmp_path)
        assert told.value.reason.key == "no-log-in-folder"


def test_a_run_that_has_logged_nothing_is_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text('{"global_step": 6, "log_history": [], "max_steps": 6}')
    (found,) = read(path)
    assert (len(found), found.settings["max_steps"]) == (0, 6)
