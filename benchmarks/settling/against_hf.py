"""Figure 2 of the reference systems: our two masked models against HF's BERT under HF's Trainer.

One configuration, one order of rows and masks, as many updates; three epochs, as report 0 had.
"""

from pathlib import Path
from statistics import fmean

from settling.plan import Plan, Size
from shindan.reference.train.metrics import Line, read

THEIRS = str(Path(__file__).with_name("hf_trainer.py"))
TEXT = [
    "data={data}/wikitext-2/train.raw.gz", "validation={data}/wikitext-2/valid.raw.gz",
    "unit=article", "epsilon=1e-8", "evaluate_every=1000000",
]  # fmt: skip


def measure(folder: Path) -> dict[str, float]:
    """The last evaluation, and the training loss told in the two ways that report 0 mixed up."""
    lines = read(folder)
    last = [line for line in lines if line["kind"] == "validation"][-1]
    train = [line for line in lines if line["kind"] == "train"]
    told = {"validation loss": float(last["loss"]), "accuracy": float(last["accuracy"])}
    for third in (1, 2, 3):
        part = [x for x in train if third - 1 < 3 * x["update"] / last["update"] <= third]
        told[f"training loss of third {third}"] = mean(part, "loss")
    told["training loss of the whole run"] = mean(train, "loss")
    return told | {"milliseconds an update": 1000 * mean(train, "seconds")}


def mean(lines: list[Line], name: str) -> float:
    """The plain mean over updates, as HF's ``training_loss`` is."""
    return fmean(float(line[name]) for line in lines)


PLAN = Plan(
    question="Do our masked models train as well as HF's BERT under HF's Trainer?",
    arms={
        # Their log tells means, ours the loss of one update.
        "HF BertForMaskedLM, HF Trainer": [THEIRS, "log_every=10"],
        "bert-mlm": ["bert-mlm"],
        "vaswani-mlm": ["vaswani-mlm", "model.embedding_scale={root}"],
    },
    sizes={
        "gpu": Size(
            "gpu",
            [
                *TEXT, "size=small", "tokenizer={data}/minilm_vocab", "model.init_std=0.035",
                "batch_size=32", "evaluation_batch_size=64", "learning_rate=1e-3",
                "max_updates=1800", "precision=bf16", "log_every=1", "save_every=900",
            ],
            values={"root": "16"},
        ),
        "cpu": Size(
            "cpu",
            [
                *TEXT, "size=tiny", "distinct=false", "model.init_std=0.07", "length=32",
                "batch_size=32", "evaluation_batch_size=64", "learning_rate=4e-3",
                "max_updates=600", "log_every=1", "save_every=300",
            ],
            values={"root": "8"},
        ),
    },
    measure=measure,
    beside=(
        "training loss of third 1", "training loss of third 2", "training loss of third 3",
        "training loss of the whole run", "milliseconds an update",
    ),
)  # fmt: skip
