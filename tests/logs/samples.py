"""A small log of every format, as the tool that has it writes it."""

# ruff: noqa: E501 (lines of logs are as long as they are)

import csv
import functools
import gzip
import io
import json
import math
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shindan.core.evidence.curve import Curve, EvalPoint, MicroStep, Update
from shindan.record.store import Writer

from .encoding import field, leveldb, single, tfrecord

ROWS = 40


def loss(step: int) -> float:
    """A falling curve with a NaN at step 7."""
    return math.nan if step == 7 else round(10.8 * math.exp(-step / 20) + 2.0, 4)


def rows() -> Iterator[dict[str, Any]]:
    for step in range(ROWS):
        yield {"step": step, "loss": loss(step), "lr": 1e-3 * (1 - step / ROWS), "phase": "warm"}


def trainer_state() -> bytes:
    history = [{"epoch": r["step"] / 10, **r} for r in rows()]
    history.append({"step": ROWS, "eval_loss": 2.5})
    state = {"epoch": 4.0, "global_step": ROWS, "log_history": history, "max_steps": ROWS}
    return json.dumps(state, indent=2).encode()


def hf_printed() -> bytes:
    lines = ["TrainingArguments(", "Some weights were not initialised", "  0%|          | 0/40"]
    for r in rows():
        bar = f"\r {r['step']}%|███   | {r['step']}/40 [00:01<00:09,  3.9it/s]"
        lines.append(bar + str({k: r[k] for k in ("loss", "lr")} | {"epoch": r["step"] / 10}))
    lines.append(str({"train_runtime": 12.5, "train_loss": 3.2, "epoch": 4.0}))
    return "\n".join(lines).encode()


def nanogpt() -> bytes:
    lines = ["Overriding: learning_rate = 0.001", "tokens per iteration will be: 491,520"]
    for r in rows():
        if r["step"] % 10 == 0:
            lines.append(f"step {r['step']}: train loss {r['loss']:.4f}, val loss {r['loss']:.4f}")
        lines.append(f"iter {r['step']}: loss {r['loss']:.4f}, time 12.50ms, mfu 3.10%")
    return "\n".join(lines).encode() + b"\n"


def build_nanogpt() -> bytes:
    lines = ["0 val 10.9511", "0 hella 0.2463"]
    lines += [f"{r['step']} train {r['loss']:.6f}" for r in rows()]
    return "\n".join([*lines, f"{ROWS} val 3.5"]).encode()


def llmc() -> bytes:
    return "\n".join(
        f"step {r['step']:4}/{ROWS} | loss {r['loss']:.6f} (+nanz)| norm 1.2 (+0.10z)| lr {r['lr']:.2e}"
        f" | 2.5 ms | 45.2% bf16 MFU | 171542 tok/s"
        for r in rows()
    ).encode()


def modded_nanogpt() -> bytes:
    code = ["import torch", "learning_rate : float = 0.0036", "step = 1", "=" * 100]
    lines = [f"step:{r['step']}/{ROWS} train_loss:{r['loss']:.4f} train_time:9ms" for r in rows()]
    lines.insert(1, f"step:0/{ROWS} val_loss:10.82 train_time:9ms step_avg:nanms")
    return "\n".join([*code, *lines]).encode()


def word_language_model() -> bytes:
    lines = ["Namespace(batch_size=20, lr=20, model='GRU')"]
    for r in rows():
        lines.append(
            f"| epoch   1 | {r['step'] + 1:5}/   40 batches | lr 20.00 | ms/batch 11.99 | loss {r['loss']:5.2f} | ppl {9.5:8.2f}"
        )
    lines.append("| end of epoch   1 | time: 36.96s | valid loss  5.60 | valid ppl   271.23")
    return "\n".join(lines).encode()


def fairseq() -> bytes:
    lines = []
    for r in rows():
        lines.append(
            f"2020-01-01 12:00:{r['step']:02} | INFO | train_inner | epoch 001:  {r['step']} / 40 loss={r['loss']}, ppl=9.9, num_updates={r['step']}, lr={r['lr']:.3g}"
        )
    lines.append(
        "2020-01-01 12:01:00 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8.9 | ppl 400"
    )
    return "\n".join(lines).encode()


def megatron() -> bytes:
    return "\n".join(
        f" iteration {r['step']:8}/     40 | consumed samples: {r['step'] * 64:8} | elapsed time per iteration (ms): 1234.5 | learning rate: {r['lr']:.6E} | lm loss: {r['loss']:.6E} |"
        for r in rows()
    ).encode()


def text() -> bytes:
    return "\n".join(
        f"\x1b[32m[2024-01-01 10:00:{r['step']:02}]\x1b[0m step={r['step']} loss: tensor({r['loss']}, device='cuda:0') speed 1,234.5 tok/s mode=fast"
        for r in rows()
    ).encode()


def jsonl() -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in rows())


def json_list() -> bytes:
    return json.dumps([{**r, "lrs": [r["lr"], 2 * r["lr"]]} for r in rows()]).encode()


def json_columns() -> bytes:
    listed = list(rows())
    return json.dumps({k: [r[k] for r in listed] for k in listed[0]} | {"seed": 1}).encode()


def phase8() -> bytes:
    steps = [{"optimizer_step": r["step"], **r, "grad_clip": 1.0} for r in rows()]
    return json.dumps({"config": {"learning_rate": 0.05}, "steps": steps}, indent=1).encode()


def comma(delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["step", "loss", "lr", "phase"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows())
    return out.getvalue().encode()


def lightning() -> bytes:
    lines = ["epoch,step,train_loss,val_loss"]
    for r in rows():
        lines.append(f"0,{r['step']},{r['loss']},")
        if r["step"] % 10 == 9:
            lines.append(f"0,{r['step']},,{r['loss']}")
    return "\n".join(lines).encode() + b"\n"


def spaced() -> bytes:
    return "\n".join(["step   loss", *(f"{r['step']:4} {r['loss']:6}" for r in rows())]).encode()


def printed_table() -> bytes:
    lines = ["Some weights were not initialised", "[ 40/40 10:00 < 00:00, 0.5 it/s, Epoch 1/1]"]
    lines.append("Step\tTraining Loss\tValidation Loss\tRuntime")
    lines += [f"{r['step']}\t{r['loss']}\tNo log\t00:12" for r in rows()]
    return "\n".join([*lines, "TrainOutput(global_step=40, training_loss=3.5)"]).encode()


def notebook() -> bytes:
    cells = [f"<tr><td>{r['step']}</td><td>{r['loss']}</td></tr>" for r in rows()]
    head = (
        "<progress value='40' max='40'></progress><table><thead><tr><th>Step</th><th>loss</th></tr>"
    )
    page = [head + "</thead>\n", *cells, "</table>"]
    said = {"name": "stdout", "output_type": "stream", "text": ["All is well\n", "40 rows\n"]}
    shown = {
        "output_type": "display_data",
        "data": {"text/html": page, "text/plain": ["<IPython>"]},
    }
    code = {"cell_type": "code", "source": ["trainer.train()"], "outputs": [said, shown]}
    text = {"cell_type": "markdown", "source": ["# loss 3.5"]}
    return json.dumps({"cells": [text, code], "metadata": {}, "nbformat": 4}, indent=1).encode()


def wandb_csv() -> bytes:
    lines = ['"Step","a - loss","a - loss__MIN","a - loss__MAX"']
    lines += [f'"{r["step"]}","{r["loss"]}","{r["loss"]}","{r["loss"]}"' for r in rows()]
    return "\n".join(lines).encode()


def tensorboard() -> bytes:
    out = tfrecord(field(1, 1e9) + field(3, "brain.Event:2"))
    for r in rows():
        tensor = field(1, 1) + field(4, struct.pack("<f", r["lr"]))
        values = field(1, field(1, "train/loss") + single(2, r["loss"]))
        values += field(1, field(1, "lr") + field(8, tensor))
        out += tfrecord(field(1, 1e9 + r["step"]) + field(2, r["step"]) + field(5, values))
    return out


def tensorboard_csv() -> bytes:
    lines = [f"{1.6e9 + r['step']},{r['step']},{r['loss']}" for r in rows()]
    return "\n".join(["Wall time,Step,Value", *lines]).encode() + b"\n"


def wandb() -> bytes:
    config = field(1, field(1, "lr") + field(16, "0.001"))
    records = [field(17, field(1, "abc") + field(4, config) + field(8, "myrun"))]
    for r in rows():
        items = b"".join(field(1, field(2, k) + field(16, json.dumps(v))) for k, v in r.items())
        records.append(field(2, items + field(2, field(1, r["step"]))))
    records.append(field(4, b"x" * 40_000))
    return leveldb(records, b":W&B\xe1\xbe\x00")


def database(path: Path, *statements: tuple[str, list[tuple[Any, ...]]]) -> bytes:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as db:
        for sql, values in statements:
            db.executemany(sql, values) if values else db.execute(sql)
    db.close()
    return path.read_bytes()


def trackio(room: Path) -> bytes:
    return database(
        room / "made.db",
        ("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)", []),
        ("CREATE TABLE configs (id INTEGER PRIMARY KEY, run_name TEXT, config TEXT)", []),
        ("INSERT INTO configs (run_name, config) VALUES (?, ?)", [("a", '{"lr": 0.1, "_Group": null}')]),
        ("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)",
         [("2026-01-01T00:00:00.5+00:00", "a", r["step"], json.dumps({"loss": str(r["loss"])})) for r in rows()]),
    )  # fmt: skip


def mlflow(room: Path) -> bytes:
    return database(
        room / "made.db",
        ("CREATE TABLE runs (run_uuid TEXT, name TEXT)", []),
        ("CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT)", []),
        ("CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN)", []),
        ("INSERT INTO runs VALUES (?, ?)", [("u", "myrun")]),
        ("INSERT INTO params VALUES (?, ?, ?)", [("lr", "0.1", "u")]),
        ("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)",
         [("loss", 0.0 if math.isnan(r["loss"]) else r["loss"], 10**12 + r["step"], "u", r["step"], math.isnan(r["loss"])) for r in rows()]),
    )  # fmt: skip


def record(room: Path) -> bytes:
    path = room / "made.db"
    path.unlink(missing_ok=True)
    writer = Writer(path)
    micro = tuple(MicroStep(r["step"], r["step"], r["loss"], lr=r["lr"]) for r in rows())
    updates = tuple(Update(r["step"], 0, (r["lr"],), 1, grad_norm=1.0) for r in rows())
    curve = Curve(micro, updates, (EvalPoint(20, 4.5, 2, 64),), 400, ROWS)
    writer.write([curve], [], [])
    writer.meta(name="train.py")
    writer.close()
    return path.read_bytes()


def mlflow_file() -> bytes:
    return "".join(f"{10**12 + r['step']} {r['loss']} {r['step']}\n" for r in rows()).encode()


_MAKERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "hf-trainer-state": ("trainer_state.json", trainer_state),
    "hf-printed": ("train.log", hf_printed),
    "nanogpt": ("train.log", nanogpt),
    "build-nanogpt": ("log.txt", build_nanogpt),
    "llmc": ("train.log", llmc),
    "modded-nanogpt": ("train.txt", modded_nanogpt),
    "word-language-model": ("train.log", word_language_model),
    "fairseq": ("train.log", fairseq),
    "megatron": ("train.log", megatron),
    "text": ("train.log", text),
    "jsonl": ("metrics.jsonl", jsonl),
    "json": ("history.json", json_list),
    "json columns": ("history.json", json_columns),
    "phase8": ("training_log.json", phase8),
    "csv": ("metrics.csv", comma),
    "csv tabs": ("metrics.tsv", functools.partial(comma, "\t")),
    "csv lightning": ("metrics.csv", lightning),
    "csv spaces": ("metrics.txt", spaced),
    "csv gz": ("metrics.csv.gz", lambda: gzip.compress(comma(), mtime=0)),
    "printed-table": ("train.txt", printed_table),
    "notebook": ("train.ipynb", notebook),
    "wandb-csv": ("wandb_export.csv", wandb_csv),
    "tensorboard-csv": ("run-.-tag-loss.csv", tensorboard_csv),
    "tensorboard": ("events.out.tfevents.1.host", tensorboard),
    "wandb": ("run-abc.wandb", wandb),
    "mlflow-files": ("run/metrics/loss", mlflow_file),
}
_DATABASES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "trackio": ("proj.db", trackio),
    "mlflow-sqlite": ("mlflow.db", mlflow),
    "shindan-record": ("run.db", record),
}


def samples(room: Path) -> dict[str, tuple[str, bytes]]:
    """(file name, content) by format; ``room`` is an empty folder to make databases in."""
    made = {name: (file, make()) for name, (file, make) in _MAKERS.items()}
    return made | {name: (file, make(room)) for name, (file, make) in _DATABASES.items()}
