"""Long tables: a value a row, its name beside it."""

import json
from pathlib import Path

import pytest

from shindan.logs.clocks import timed
from shindan.logs.judged import judged
from shindan.logs.reading import read
from shindan.logs.table import LogTable

STEPS = range(0, 300, 10)


def loss(step: int) -> float:
    return 5 - step / 100


def tables(room: Path, lines: list[str], name: str = "metrics.csv") -> list[LogTable]:
    path = room / name
    path.write_text("\n".join(lines) + "\n")
    return read(path)


def test_a_value_a_row_becomes_a_row_a_step(tmp_path: Path) -> None:
    lines = ["name,value,step"]
    for step in STEPS:
        lines += [f"train/loss,{loss(step)},{step}", f"train/lr,0.001,{step}"]
        lines += [f"eval/loss,{loss(step) + 1},{step}"] if step % 50 == 0 else []
    (found,) = tables(tmp_path, lines)
    assert len(found) == len(STEPS)
    assert found.columns["train/loss"].tolist() == [loss(step) for step in STEPS]
    assert found.present["eval/loss"].sum() == 6
    roles = judged(found).roles.columns
    assert roles == {
        "loss": "train/loss", "validation": "eval/loss", "lr": "train/lr", "step": "step"
    }  # fmt: skip


@pytest.mark.parametrize("runs", [("1", "2"), ("abc", "def")])
def test_a_table_a_run(runs: tuple[str, str], tmp_path: Path) -> None:
    lines = ["run_id,key,value,timestamp,step"]
    for place, run in enumerate(runs):  # metric after metric, as databases are dumped
        for key in ("loss", "val_loss"):
            lines += [f"{run},{key},{loss(s) + place},{1.7e12 + s},{s}" for s in STEPS]
    found = tables(tmp_path, lines)
    assert [table.name for table in found] == list(runs)
    assert [len(table) for table in found] == [len(STEPS)] * 2
    assert found[1].columns["val_loss"].tolist() == [loss(s) + 1 for s in STEPS]
    clock = timed(found[0], None, None)
    assert clock is not None
    assert clock.seconds.tolist() == pytest.approx([s / 1000 for s in STEPS])


def test_the_part_of_the_data_in_a_column_of_its_own(tmp_path: Path) -> None:
    lines = ["epoch,split,metric,value"]
    for epoch in range(9):
        lines += [f"{epoch},train,loss,{loss(epoch)}", f"{epoch},val,loss,{loss(epoch) + 1}"]
    (found,) = tables(tmp_path, lines)
    roles = judged(found).roles.columns
    assert (roles["loss"], roles["validation"]) == ("train/loss", "val/loss")


def test_a_resumed_run_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    steps = [*range(0, 60), *range(40, 100)]
    lines = [
        json.dumps({"metricName": name, "metricValue": str(loss(step)), "step": step})
        for step in steps for name in ("loss", "grad_norm")
    ]  # fmt: skip
    (found,) = tables(tmp_path, lines, "metrics.jsonl")
    assert found.columns["step"].tolist() == steps
    way = judged(found).axis
    assert (len(way.progress.returns), way.progress.rows) == (1, 100)


def test_names_that_are_no_metrics_stay_a_column(tmp_path: Path) -> None:
    lines = ["name,value,step", *(f"{name},{s}.5,{s}" for s in STEPS for name in ("Ann", "Bob"))]
    (found,) = tables(tmp_path, lines)
    assert set(found.columns) == {"value", "step"}
    assert len(found) == 2 * len(STEPS)
