"""Report 3: which of its changes the student needed.

One teacher for all; students that differ from the right recipe in one thing, and the reported run
with one fault mended. ``cpu`` is so small that it leaves the unigram plateau within minutes on one
core: 1,000 entries, pre-LN, and an init that keeps the scale of narrow layers (0.02 would not).
``gpu`` is issue 3's size: 30,522 entries, a student of width 256; pre-LN and words times the root
of the width leave the plateau in hundreds of updates, BERT's own form in thousands.
"""

from pathlib import Path
from statistics import fmean

from settling.plan import Plan, Size, Words
from shindan.reference.train.metrics import read

RIGHT, REPORTED = "distill-bert", "distill-bert-as-reported"
BOTH: Words = [
    "data={data}/wikitext-2/train.raw.gz", "validation={data}/wikitext-2/valid.raw.gz",
    "unit=article",
]  # fmt: skip

SMALL: Words = [
    *BOTH, "size=tiny", "length=32", "batch_size=32", "evaluation_batch_size=64",
    "evaluate_every=1000000", "save_every=300", "model.norm=pre", "model.init_std=0.12",
    "model.dropout=0", "model.attention_dropout=0", "learning_rate=4e-3", "log_every=20",
]  # fmt: skip
LARGE: Words = [
    *BOTH, "size=base", "length=128", "batch_size=64", "model.max_positions=128",
    "model.norm=pre", "model.positions=sinusoidal", "model.embedding_norm=false",
    "evaluation_batch_size=128", "precision=bf16", "schedule=cosine", "max_updates=4000",
    "evaluate_every=1000", "log_every=50",
]  # fmt: skip


def measure(folder: Path) -> dict[str, float]:
    """Of the last evaluation, at masks that are the same for all; a teacher has no teacher."""
    lines = read(folder)
    last = [line for line in lines if line["kind"] == "validation"][-1]
    found = {"top-1 percent": 100 * float(last["accuracy"])}
    if "teacher_accuracy" in last:
        found["% of the teacher"] = 100 * float(last["accuracy"]) / float(last["teacher_accuracy"])
        found["% agreeing with it"] = 100 * float(last["agreement"])
        found["the teacher's top-1 %"] = 100 * float(last["teacher_accuracy"])
        found["top-1 % of the commonest token"] = 100 * float(last["commonest_accuracy"])
    hidden = [float(line["hidden"]) for line in lines if "hidden" in line]
    if hidden:  # of the last updates: a loss that has collapsed is nearly 0
        found["hidden error"] = fmean(hidden[-5:])
    return {**found, "nll": float(last["nll"] if "nll" in last else last["loss"])}


def on_gpu(teacher: Words) -> Size:
    """Issue 3's size, with a teacher so trained."""
    return Size(
        "gpu",
        [
            *LARGE, "teacher={folder}/teacher", "model.embedding_scale=16", "model.dropout=0",
            "model.attention_dropout=0", "learning_rate=1e-3", "rows_at_once=4096",
        ],
        before={
            "teacher": [
                "bert-mlm", *LARGE, "tokenizer={data}/minilm_vocab", "model.layers=6",
                "model.embedding_scale=27.7", "learning_rate=4e-4", *teacher,
            ],
        },
        values={"quarter": "1000", "thrice": "12000"},
    )  # fmt: skip


MENDED: Words = ["method=combined", "temperature=2", "soft=1", "hard=1", "reduction=positions",
                 "model.tied=true"]  # fmt: skip
"""The reported recipe with all its faults mended but the projection's side."""

PLAN = Plan(
    question="Which of the report's changes did the student need?",
    arms={
        "right": [RIGHT],
        "without teacher": [RIGHT, "method=alone"],
        "as reported": [REPORTED],
        # loss by loss
        "answers": [RIGHT, "method=logits"],
        "answers + hidden": [RIGHT, "method=logits", "hidden=1"],
        "answers + relations": [RIGHT, "method=minilm"],
        "DistilBERT": [RIGHT, "method=distilbert"],
        "TinyBERT": [RIGHT, "method=tinybert"],
        # the right run with one fault
        "right, T 1": [RIGHT, "temperature=1"],
        "right, T 4": [RIGHT, "temperature=4"],
        "right, no hidden": [RIGHT, "hidden=0"],
        "right, untied": [RIGHT, "model.tied=false"],
        "right, by element": [REPORTED, *MENDED, "projection=up", "reduction=elements"],
        "right, projected down": [REPORTED, *MENDED, "projection=down"],
        "right, a quarter of the updates": [RIGHT, "max_updates={quarter}"],
        "right, three times the updates": [RIGHT, "max_updates={thrice}"],
        "without teacher, three times the updates": [
            RIGHT, "method=alone", "max_updates={thrice}"
        ],
        # the report's run with one fault mended
        "reported, T 4": [REPORTED, "temperature=4"],
        "reported, by position": [REPORTED, "reduction=positions"],
        "reported, projected up": [REPORTED, "projection=up"],
        "reported, tied": [REPORTED, "model.tied=true"],
        "reported, no hidden": [REPORTED, "hidden=0"],
        "reported, mended as there": [REPORTED, "temperature=4", "model.tied=true"],
        "reported, three times the updates": [REPORTED, "max_updates={thrice}"],
    },
    against={
        "reported, " + word: "as reported"
        for word in ("T 4", "by position", "projected up", "tied", "no hidden",
                     "mended as there", "three times the updates")
    } | {"without teacher, three times the updates": "right, three times the updates"},
    sizes={
        "cpu": Size(
            "cpu",
            [*SMALL, "teacher={folder}/teacher", "model.hidden=48", "model.layers=2",
             "model.heads=4", "model.intermediate=192", "max_updates=1000"],
            before={
                "teacher": ["bert-mlm", *SMALL, "vocabulary=1000", "model.hidden=96",
                            "model.layers=2", "model.heads=4", "model.intermediate=384",
                            "max_updates=4500"],
            },
            values={"quarter": "250", "thrice": "3000"},
        ),
        "gpu": on_gpu(["max_updates=4000"]),
        # A teacher that has learnt for longer, and without dropout, as its students do.
        "gpu-long": on_gpu(
            ["max_updates=8000", "model.dropout=0", "model.attention_dropout=0"]
        ),
    },
    measure=measure,
    beside=(
        "% of the teacher", "% agreeing with it", "hidden error", "the teacher's top-1 %",
        "top-1 % of the commonest token",
    ),
)  # fmt: skip
