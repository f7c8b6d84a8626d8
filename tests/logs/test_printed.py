"""Tables printed for people, and notebooks, where they stand."""

# ruff: noqa: E501 (lines of tables are as long as they are)

import json
import math
from pathlib import Path
from typing import Any

import pytest

from shindan.core.errors import ShindanError
from shindan.logs.judged import judged
from shindan.logs.reading import read
from shindan.logs.table import LogTable

ROWS = 12


def loss(i: int) -> float:
    return round(2 + 8 * math.exp(-i / 4), 4)


def one(room: Path, lines: list[str], name: str = "train.txt") -> LogTable:
    path = room / name
    path.write_text("\n".join(lines) + "\n")
    (found,) = read(path)
    return found


TABLES: dict[str, list[str]] = {
    "fastai": ["epoch     train_loss  valid_loss  accuracy  time    ",
               *(f"{i:<10}{loss(i):.6f}    {loss(i) + 1:.6f}    0.300000  00:12    " for i in range(ROWS))],
    "skorch": ["  epoch    train_loss    valid_acc    valid_loss     dur",
               "-------  ------------  -----------  ------------  ------",
               *(f"{i:7}        {loss(i):.4f}       0.5500        {loss(i) + 1:.4f}  0.0123" for i in range(ROWS))],
    "model card": ["# Model", "### Training results", "",
                   "| Training Loss | Epoch | Step | Validation Loss |", "|:---:|:---:|:---:|:---:|",
                   *(f"| {loss(i):.4f} | {i}.0 | {500 * i} | {loss(i) + 1:.4f} |" for i in range(ROWS)),
                   "### Framework versions", "- Transformers 4.30"],
    "rich": ["┏━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┓", "┃ epoch ┃ train loss ┃ val loss ┃",
             "┡━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━┩",
             *(f"│ {i:5} │ {loss(i):10.4f} │ {loss(i) + 1:8.4f} │" for i in range(ROWS)),
             "└───────┴────────────┴──────────┘"],
    "plus and minus": ["+-------+------+----------+", "| epoch | loss | val_loss |", "+-------+------+----------+",
                       *(f"| {i:5} | {loss(i)} | {loss(i) + 1:.4f} |" for i in range(ROWS))],
    "Hugging Face, copied": ["[12/12 10:00, Epoch 3/3]", "Epoch\tTraining Loss\tValidation Loss",
                             *(f"{i}\t{loss(i)}\t{loss(i) + 1:.4f}" for i in range(ROWS))],
}  # fmt: skip


@pytest.mark.parametrize("writer", TABLES)
def test_tables(writer: str, tmp_path: Path) -> None:
    found = one(tmp_path, TABLES[writer], "README.md" if writer == "model card" else "train.txt")
    roles = judged(found).roles
    train, checked = roles.get(found, "loss"), roles.get(found, "validation")
    assert train is not None
    assert checked is not None
    assert train.tolist() == [loss(i) for i in range(ROWS)]
    assert checked.tolist() == pytest.approx([loss(i) + 1 for i in range(ROWS)])
    epochs = roles.get(found, "epoch")
    assert epochs is not None
    assert epochs.tolist() == list(range(ROWS))
    assert not found.words


@pytest.mark.parametrize("gap", ["\t", "  "])
def test_a_loss_that_was_not_logged_yet(gap: str, tmp_path: Path) -> None:
    lines = [gap.join(("Step", "Training Loss", "Validation Loss"))]
    lines += [gap.join((f"{i}", f"{loss(i)}" if i > 2 else "No log", "3.5")) for i in range(ROWS)]
    found = one(tmp_path, lines)
    assert found.present["Training Loss"].tolist() == [i > 2 for i in range(ROWS)]
    assert found.present["Validation Loss"].all()
    assert not found.words


def test_a_table_that_is_printed_again_as_it_grows(tmp_path: Path) -> None:
    head, *rows = TABLES["fastai"]
    lines = [line for end in range(1, ROWS + 1) for line in (head, *rows[:end])]
    assert len(one(tmp_path, lines)) == ROWS
    parts = [head, *rows[:6], "Loading the best weights", head, *rows[6:]]
    assert len(one(tmp_path, parts)) == ROWS


def test_lines_that_name_what_they_measure_outweigh_a_small_table(tmp_path: Path) -> None:
    lines = [f"step {i} loss: {loss(i)}" for i in range(ROWS)]
    found = one(tmp_path, [*lines, "| epoch | loss |", "|---|---|", "| 1 | 3.5 |", "| 2 | 3.4 |"])
    assert found.format == "text"


def notebook(room: Path, *cells: list[dict[str, Any]]) -> list[LogTable]:
    path = room / "train.ipynb"
    made = [{"cell_type": "code", "source": [], "outputs": outputs} for outputs in cells]
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4}))
    return read(path)


def stream(*lines: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": list(lines)}


def test_the_cells_of_a_notebook_are_logs_of_their_own(tmp_path: Path) -> None:
    bars = [f"\r{i}/12 [00:01<00:09, loss={loss(i)}]" for i in range(ROWS)]
    table = "\n".join(TABLES["fastai"])
    found = notebook(
        tmp_path,
        [stream("GPU: 1\n")],
        [stream(*(f"epoch {i} loss {loss(i)}\n" for i in range(ROWS)))],
        [stream(*bars)],
        [{"output_type": "execute_result", "data": {"text/plain": table}}],
        [stream("Test loss: 3.5\n", "Test loss: 3.4\n")],
    )
    assert [t.name for t in found] == [f"train.ipynb cell {n}" for n in (2, 3, 4)]
    for log in found:
        assert log.format == "notebook"
        values = judged(log).roles.get(log, "loss")
        assert values is not None
        assert values.tolist() == [loss(i) for i in range(ROWS)]


def page(rows: int) -> str:
    cells = [f"<tr><td>{i}</td><td>{loss(i)}</td><td>No log</td></tr>" for i in range(rows)]
    names = ("Epoch", "Training Loss", "Validation Loss")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<progress value='3'></progress><table><tr>{head}</tr>{''.join(cells)}</table><p>"


def test_a_table_that_is_shown_again_as_it_grows(tmp_path: Path) -> None:
    shown = [
        {
            "output_type": "display_data",
            "data": {"text/html": [page(rows)], "text/plain": ["<HTML>"]},
        }
        for rows in range(ROWS + 1)
    ]
    (found,) = notebook(tmp_path, shown)
    assert found.columns["Training Loss"].tolist() == [loss(i) for i in range(ROWS)]


def test_a_notebook_made_markdown(tmp_path: Path) -> None:
    lines = ["# Training", "```python", "trainer.train()", "```", "", page(ROWS), "", "## Done"]
    found = one(tmp_path, lines, "notebook.md")
    assert found.columns["Training Loss"].tolist() == [loss(i) for i in range(ROWS)]


def test_a_notebook_of_other_tables_is_no_log(tmp_path: Path) -> None:
    page = "<table><tr><th>name</th><th>loss</th></tr><tr><td>Ann</td><td>3.5</td></tr></table>"
    with pytest.raises(ShindanError) as told:
        notebook(tmp_path, [{"output_type": "display_data", "data": {"text/html": page}}])
    assert told.value.reason.key == "log-not-understood"
