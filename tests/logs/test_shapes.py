"""JSON documents of every shape met, and names of numbers in lines of text."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from shindan.logs.judged import judged
from shindan.logs.reading import read
from shindan.logs.table import LogTable
from shindan.logs.template import cut, template


def tables(path: Path, value: Any) -> list[LogTable]:
    path.write_text(json.dumps(value))
    return read(path)


def test_parts_of_the_data_are_one_table(tmp_path: Path) -> None:
    value = {"lr": 0.1, "train": [{"step": 1, "loss": 3}], "val": [{"step": 1, "loss": 4}]}
    (found,) = tables(tmp_path / "h.json", value)
    assert list(found.columns) == ["step", "train.loss", "val.loss"]
    assert (len(found), found.settings) == (2, {"lr": 0.1})


def test_runs_in_one_document(tmp_path: Path) -> None:
    runs = [{"seed": s, "history": [{"epoch": 0, "loss": s}]} for s in range(3)]
    found = tables(tmp_path / "h.json", {"runs": runs})
    assert [t.name for t in found] == [f"h.json runs.{s}.history" for s in range(3)]
    assert [t.columns["loss"].tolist() for t in found] == [[0], [1], [2]]


@pytest.mark.parametrize(
    "value",
    [
        {"100": {"loss": 2.5}, "200": {"loss": 2.25}},
        {"step_100": {"loss": 2.5}, "step_200": {"loss": 2.25}},
        {"step": {"0": 100, "1": 200}, "loss": {"0": 2.5, "1": 2.25}},
        {"step": [100, 200], "loss": [2.5, 2.25]},
        [["step", "loss"], [100, 2.5], [200, 2.25]],
        [{"step": "100", "loss": "2.5"}, {"step": "200", "loss": "2.25"}],
        {"a": {"b": [{"step": 100, "loss": 2.5}, {"step": 200, "loss": 2.25}]}},
        {"loss": [[100, 2.5], [200, 2.25]]},
        {"metrics": {"loss": {"steps": [100, 200], "values": [2.5, 2.25]}}},
        {"loss": [{"step": 100, "value": 2.5}, {"step": 200, "value": 2.25}], "seed": 1},
        {"columns": ["step", "loss"], "index": [0, 1], "data": [[100, 2.5], [200, 2.25]]},
    ],
)
def test_records_however_they_are_kept(tmp_path: Path, value: Any) -> None:
    (found,) = tables(tmp_path / "h.json", value)
    assert found.columns["step"].tolist() == [100, 200]
    assert found.columns["loss"].tolist() == [2.5, 2.25]


def test_curves_with_steps_of_their_own_are_joined(tmp_path: Path) -> None:
    losses = [[step, 5 - step / 100] for step in range(0, 100, 10)]
    checks = [[step, 6 - step / 100] for step in (0, 50)]
    (found,) = tables(tmp_path / "h.json", {"train_loss": losses, "val_loss": checks})
    assert len(found) == 10
    assert found.columns["step"][found.present["val_loss"]].tolist() == [0, 50]
    resumed = [*losses, *[[step, 4.0] for step in range(50, 150, 10)]]
    (found,) = tables(tmp_path / "h.json", {"loss": resumed})
    assert found.columns["step"].tolist() == [step for step, _ in resumed]


def test_parts_without_steps_stand_beside_each_other(tmp_path: Path) -> None:
    value = {"train": {"loss": [3.0, 2.5], "acc": [0.5, 0.6]}, "val": {"loss": [3.5, 3.0]}}
    (found,) = tables(tmp_path / "h.json", value)
    assert len(found) == 2
    assert found.columns["val.loss"].tolist() == [3.5, 3.0]


def test_a_list_of_losses(tmp_path: Path) -> None:
    (found,) = tables(tmp_path / "losses.json", [5 - i / 10 for i in range(20)])
    assert judged(found).roles.columns == {"loss": "losses"}
    (found,) = tables(tmp_path / "h.json", [5 - i / 10 for i in range(20)])
    assert judged(found).roles.columns == {"loss": "0"}
    (found,) = tables(tmp_path / "losses.json", {"train_losses": [3.0, None, 2.5], "epochs": 3})
    assert found.present["train_losses"].tolist() == [True, False, True]
    assert judged(found).roles.columns == {"loss": "train_losses"}


def test_whatever_a_value_is(tmp_path: Path) -> None:
    """Rows are turned into columns at once only where their values are plain."""
    value = [{"step": 1, "loss": 3.0, "lr": [0.1, 0.2]}, {"step": 2, "loss": "2.5", "big": 10**400}]
    (found,) = tables(tmp_path / "h.json", value)
    assert found.columns["loss"].tolist() == [3.0, 2.5]
    assert found.columns["lr.1"][0] == 0.2
    assert found.columns["big"][1] == math.inf


def test_words_that_spell_numbers(tmp_path: Path) -> None:
    """As ms-swift and LLaMA-Factory write them."""
    value = [
        {"step/max_steps": f"{i}/40", "elapsed": f"{i}m 2s", "left": f"0:0{i}:00", "v": f"{i}/4a"}
        for i in range(5)
    ]
    (found,) = tables(tmp_path / "h.json", [{**one, "loss": 3.0} for one in value])
    assert found.columns["step/max_steps"].tolist() == [0, 1, 2, 3, 4]
    assert found.columns["step/max_steps_total"].tolist() == [40] * 5
    assert found.columns["elapsed"].tolist() == [2, 62, 122, 182, 242]
    assert found.columns["left"].tolist() == [0, 60, 120, 180, 240]
    assert list(found.words) == ["v"]


def test_tensorboards_export(tmp_path: Path) -> None:
    (found,) = tables(tmp_path / "run.json", [[1.6e9, 10, 2.5], [1.6e9 + 1, 20, 2.25]])
    assert found.columns["Step"].tolist() == [10, 20]
    assert found.columns["Value"].tolist() == [2.5, 2.25]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("iter 10: loss 2.3, time 12.5ms", {"iter": 10, "loss": 2.3, "time": 12.5}),
        ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.3",
         {"Train Epoch": 1, "progress": 640, "progress_total": 60000, "Loss": 2.3}),
        ("Epoch: [0][ 10/99]\tLoss 6.9e+00 (7.1e+00)\tAcc@1   0.50 (  0.10)",
         {"Epoch": 0, "progress": 10, "progress_total": 99, "Loss": 6.9, "Loss (avg)": 7.1,
          "Acc@1": 0.5, "Acc@1 (avg)": 0.1}),
        ("Train: loss 1.0 acc 0.5 | Val: loss 1.1 acc 0.6",
         {"Train loss": 1.0, "Train acc": 0.5, "Val loss": 1.1, "Val acc": 0.6}),
        ("step: 5  loss: 12.2  memory:  4.2GiB(5.3%)  tps: 1,234",
         {"step": 5, "loss": 12.2, "memory": 4.2, "memory (%)": 5.3, "tps": 1234}),
        ("[2024-01-01 10:00:00,500] [INFO] [Rank 0] step=10, lr=[1e-05, 2e-05]",
         {"timestamp": 1704103200.5, "Rank": 0, "step": 10, "lr": 1e-5, "lr.1": 2e-5}),
        ("100/100 [====] - 1s 10ms/step - loss: 2.3 - val_loss: 2.4",
         {"progress": 100, "progress_total": 100, "ms/step": 10, "loss": 2.3, "val_loss": 2.4}),
        ("{'loss': '2.3', 'eval_acc': .5, 'epoch': 1}", {"loss": 2.3, "eval_acc": 0.5, "epoch": 1}),
        ("elapsed time per iteration (ms): 12.5 | lm loss: 1.5E+01 |",
         {"elapsed time per iteration (ms)": 12.5, "lm loss": 15}),
        ("Epoch 3, global step 300: 'val_loss' reached 2.31 (best 2.31), saving model",
         {"Epoch": 3, "global step": 300, "val_loss": 2.31, "val best": 2.31}),
        ("250 train 5.5", {"index": 250, "train": 5.5}),
        ("INFO conv1 v2.5.1 fp16 10.0.0.1 0x1f H100", {}),
    ],
)  # fmt: skip
def test_names_of_numbers(line: str, expected: dict[str, float]) -> None:
    literals, values, kinds = cut(line)
    fields = template(literals, kinds).fields
    assert {f.column: f.read(values[f.index]) for f in fields} == expected


@pytest.mark.parametrize(
    ("name", "value", "role"),
    [
        ("loss_history.json", [3.0, 2.5, 2.8, 3.5, 3.4, 3.6], "loss"),  # it need not fall
        ("val_losses.json", [3.0, 2.5, 2.8, 3.5, 3.4, 3.6], "loss"),  # the only one
        ("train_loss.json", [[100, 3.0], [200, 2.5], [300, 3.5]], "loss"),
        ("loss.json", [[1.6e9, 10, 2.5], [1.6e9 + 1, 20, 2.25]], "loss"),
        ("h.json", [3.0, 2.5, 2.8, 3.5, 3.4, 3.6], None),
        ("h.json", [[100, 3.0], [200, 2.5], [300, 3.5]], None),
    ],
)
def test_a_files_name_names_its_bare_numbers(
    name: str, value: Any, role: str | None, tmp_path: Path
) -> None:
    (found,) = tables(tmp_path / name, value)
    roles = judged(found).roles.columns
    assert {*roles} & {"loss", "validation"} == ({role} if role else set())
    assert ("step" in roles) == (role is not None and isinstance(value[0], list))


def test_of_two_bare_losses_nothing_says_which_was_evaluated(tmp_path: Path) -> None:
    """Unless the person does; the first column counts either way."""
    value = [[100, 3.0, 3.1], [200, 2.5, 2.8], [300, 2.2, 2.9]]
    (found,) = tables(tmp_path / "loss.json", value)
    assert judged(found).roles.columns == {"step": "0"}
    asked = {"loss": "1", "validation": "2"}
    assert judged(found, asked).roles.columns == {**asked, "step": "0"}


def test_a_list_among_lines_of_text_is_no_log(tmp_path: Path) -> None:
    """A text begins with a bracket, as JSON does, and shows lists of data between its lines."""
    path = tmp_path / "log"
    stamp = "[2024-05-01:10:00:0{}:INFO:train] "
    lines = [stamp.format(0) + "buckets [0, 812, 146, 119, 45, 40, 62]", "[16, 16]"]
    lines += [f"{stamp.format(i)}update={i} loss={5 - i / 10}" for i in range(1, 10)]
    path.write_text("\n".join(lines))
    (found,) = read(path)
    assert (found.format, judged(found).roles.columns["loss"]) == ("text", "train loss")
    path.write_text("\n".join(["[1, 20] loss: 2.5", "[1, 40] loss: 2.25", "[0, 8, 1, 9, 4, 2]"]))
    (found,) = read(path)
    assert found.format == "text"


def lines(path: Path, counts: range, start: float) -> None:
    rows = (f"{e},{start + 5 / (1 + e)},{e / 100}" for e in counts)
    path.write_text("\n".join(["epoch,loss,accuracy", *rows]))


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("train.log", "valid.log"), {"loss": "loss", "validation": "validation_loss"}),
        (("log_train.csv", "log_test.csv"), {"loss": "loss", "validation": "validation_loss"}),
        (("train.log", "validation_b.log"), None),
        (("a.csv", "b.csv"), None),
    ],
)
def test_files_named_for_the_parts_of_the_data_are_one_log(
    names: tuple[str, str], roles: dict[str, str] | None, tmp_path: Path
) -> None:
    lines(tmp_path / names[0], range(40), 1.0)
    lines(tmp_path / names[1], range(4, 40, 5), 2.0)
    found = read(tmp_path)
    if roles is None:
        assert len(found) == 2
        return
    (one,) = found
    assert one.name == ", ".join(names)
    assert {**judged(one).roles.columns, **roles, "epoch": "epoch"} == judged(one).roles.columns
    assert one.columns["epoch"].tolist() == sorted([*range(40), *range(4, 40, 5)])
    evaluated = one.columns["validation_loss"][one.present["validation_loss"]]
    assert evaluated.tolist() == [2 + 5 / (1 + e) for e in range(4, 40, 5)]


def test_files_that_count_otherwise_are_none(tmp_path: Path) -> None:
    """Another run's evaluation, or one in updates."""
    lines(tmp_path / "train.log", range(40), 1.0)
    lines(tmp_path / "valid.log", range(0, 400, 10), 2.0)
    assert len(read(tmp_path)) == 2
