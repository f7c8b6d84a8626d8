"""The real logs beside the project: every record of them, and their settings."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from shindan.logs.reading import read
from shindan.logs.table import LogTable
from tests.reference.real import real


def one(name: str) -> LogTable:
    (found,) = read(real(f"logs/{name}"))
    assert found.lost == ()
    return found


@pytest.mark.parametrize("name", ["a", "b", "c", "d", "e"])
def test_trainer_states(name: str) -> None:
    path = real(f"logs/trainer_state_{name}.json")
    history = json.loads(path.read_text())["log_history"]
    found = one(path.name)
    assert len(found) == len(history)
    for column, present in found.present.items():
        expected = [record[column] for record in history if column in record]
        values = np.array(expected, float)
        assert np.array_equal(found.columns[column][present], values, equal_nan=True)


def test_phase8() -> None:
    found = one("phase8/report.json")
    assert (len(found), found.format) == (62, "phase8")
    assert set(np.diff(found.columns["step"])) == {16.0}
    assert set(found.words["tsp_city"]) == {"J_converge"}
    assert one("p8_3b.json").settings["learning_rate"] == 0.05
    assert one("p8_300m_ja.json").present["optimizer_lrs.2"].sum() > 0


@pytest.mark.parametrize(
    ("name", "line", "columns"),
    [
        ("gpt2_adamw.log", r"^s:(\d+) trl:(\S+)$", ("s", "trl")),
        ("gpt2_adamw.log", r"^s:(\d+) tel:(\S+)$", ("s", "tel")),
        ("gpt2_fp4.txt", r"^step:(\d+)/\d+ val_loss:(\S+) ", ("step", "val_loss")),
        ("gpt2_fp4.txt", r"^step:(\d+)/\d+ train_loss:(\S+) ", ("step", "train_loss")),
        ("nanogpt_fp16.log", r" iter (\d+): loss (\S+), ", ("iter", "loss")),
        ("nanogpt_fp16.log", r" step (\d+): train loss (\S+), ", ("step", "train loss")),
        ("lora_fp16.log", r"iter (\d+): loss (\S+), ", ("iter", "loss")),
        ("wt2_gru.log", r"^\| epoch +(\d+) \|.*\| loss +(\S+) ", ("epoch", "loss")),
        ("wt2_lstm.log", r"end of epoch +(\d+) .*d loss +(\S+) ", ("end of epoch", "valid loss")),
        ("wt2_relu.log", r"^\| epoch +(\d+) \|.*\| loss +(\S+) ", ("epoch", "loss")),
    ],
)  # fmt: skip
def test_text(name: str, line: str, columns: tuple[str, str]) -> None:
    rows = re.findall(line, real(f"logs/{name}").read_text(), re.MULTILINE)
    found = one(name)
    there = found.present[columns[0]] & found.present[columns[1]]
    read_rows = np.column_stack([found.columns[column][there] for column in columns])
    assert len(rows) > 0
    assert np.array_equal(read_rows, np.array(rows, float), equal_nan=True)


def test_tables_and_their_settings() -> None:
    for name in ("ptb_gru", "ptb_rnn"):
        for kind, rows in ((".csv", 40), (".steps.csv", 8847)):
            found = one(name + kind)
            assert (found.format, len(found)) == ("csv", rows)
            assert found.settings["batch_size"] == 20
    assert one("wt2_gru.log").settings["model"] == "GRU"


def test_the_whole_folder() -> None:
    folder: Path = real("logs")
    files = {path for path in folder.rglob("*") if path.is_file() and "config" not in path.name}
    assert {table.path for table in read(folder)} == files
