"""Report 4: why the bigger context-vector model was worse.

``cpu``: a quarter of the width and half the length, on the real lines; the reported init is twice
as wide, so that a layer of 128 has the gain of one of 512 (.32), and dropout is off, no row being
seen twice. ``gpu``: the report's own size, rows and rate, to where its curve leaves the plateau.
"""

from pathlib import Path

from settling.frequencies import Lines, lines_of, plateau
from settling.plan import Plan, Size, Words
from shindan.reference.recipes.use import opened
from shindan.reference.train.metrics import read

REPORTED, CURED = "context-vector-as-reported", ["model.residual=true", "model.init=scaled"]
FOUR, SIX, TWELVE = (["model.layers=4"], ["model.layers=6"], ["model.layers=12"])
MANY = ["batch_size=128"]
SAME_TOKENS = [*MANY, "max_updates=300"]

# as reported, 32 rows, learning rate 1e-3 and 1,200 updates unless said
SMALL: dict[str, Words] = {
    "12 layers": TWELVE,
    "6 layers": SIX,
    "4 layers": FOUR,
    "2 layers": ["model.layers=2"],
    "12 layers, residual": [*TWELVE, "model.residual=true"],
    "12 layers, scaled init": [*TWELVE, "model.init=scaled"],
    "12 layers, both": [*TWELVE, *CURED],
    "6 layers, both": [*SIX, *CURED],
    "4 layers, lr 3e-4": [*FOUR, "learning_rate=3e-4"],
    "4 layers, lr 3e-3": [*FOUR, "learning_rate=3e-3"],
    "12 layers, lr 3e-4": [*TWELVE, "learning_rate=3e-4"],
    "12 layers, lr 3e-3": [*TWELVE, "learning_rate=3e-3"],
    "4 layers, 128 rows, equal updates": [*FOUR, *MANY],
    "4 layers, 128 rows, equal tokens": [*FOUR, *SAME_TOKENS],
    "4 layers, 128 rows, equal tokens, lr 2e-3": [*FOUR, *SAME_TOKENS, "learning_rate=2e-3"],
    "4 layers, 128 rows, equal tokens, lr 4e-3": [*FOUR, *SAME_TOKENS, "learning_rate=4e-3"],
    "6 layers, both, 128 rows, equal tokens": [*SIX, *CURED, *SAME_TOKENS],
    "6 layers, both, 128 rows, equal tokens, lr 2e-3": [
        *SIX, *CURED, *SAME_TOKENS, "learning_rate=2e-3",
    ],
}  # fmt: skip

# 512 rows, learning rate 1e-4, 2,000 updates unless said
WIDE = [*TWELVE, "model.context=512"]
NARROW = [*SIX, "model.context=256"]
REAL: dict[str, Words] = {
    "the report: 12 layers, 512 rows": WIDE,
    "its baseline: 6 layers, 32 rows": [*NARROW, "batch_size=32"],
    "6 layers, 512 rows": NARROW,
    "the report, lr 8e-4": [*WIDE, "learning_rate=8e-4"],
    "the report, residual": [*WIDE, "model.residual=true"],
    "the report, scaled init": [*WIDE, "model.init=scaled"],
    "the report, both": [*WIDE, *CURED],
    "6 layers, 512 rows, both": [*NARROW, *CURED],
}

DRAWN = {
    "cpu": ("2 layers", "4 layers", "6 layers", "12 layers", "12 layers, residual",
            "12 layers, scaled init", "12 layers, both", "6 layers, both"),
    "gpu": tuple(REAL),
}  # fmt: skip
"""Arms whose curves the page shows."""

AGAINST = {
    "6 layers, both": "12 layers, both",
    **{name: "4 layers" for name in SMALL if name.startswith("4 layers,")},
    **{name: "6 layers, both" for name in SMALL if name.startswith("6 layers, both,")},
    **{name: next(iter(REAL)) for name in list(REAL)[1:-1]},
    "6 layers, 512 rows, both": "the report, both",
}

TEXT: Words = [
    "data={data}/wikitext-2/train.raw.gz", "validation={data}/wikitext-2/valid.raw.gz",
    "unit=line", "size=twelve", "evaluate_every=1000000", "save_every=250",
]  # fmt: skip
CPU: Words = [
    *TEXT, "length=32", "stride=32", "model.embedding=64", "model.hidden=128", "model.context=64",
    "model.init_std=0.04", "model.dropout=0", "batch_size=32", "learning_rate=1e-3",
    "max_updates=1200", "log_every=1", "evaluation_batch_size=256",
]  # fmt: skip
GPU: Words = [
    *TEXT, "evaluate_every=250", "max_updates=2000", "log_every=10", "precision=tf32",
    "compile=true", "evaluation_batch_size=512",
]  # fmt: skip


def measure(folder: Path) -> dict[str, float]:
    """Of the last evaluation, and for how long the run knew frequencies alone."""
    told = read(folder)
    last = [line for line in told if line["kind"] == "validation"][-1]
    losses = [line for line in told if line["kind"] == "train"]
    return {
        "validation loss": float(last["loss"]),
        "updates on the plateau": plateau(losses, known(folder).left),
    }


LINES: dict[Path, Lines] = {}
"""Of the data of each plan and size: the same for all its runs."""


def known(folder: Path) -> Lines:
    """The lines of the run's data."""
    if folder.parent not in LINES:
        LINES[folder.parent] = lines_of(opened(folder).settings, folder)
    return LINES[folder.parent]


PLAN = Plan(
    question="Does depth hurt, and what of it do residuals and init cure?",
    arms={name: [REPORTED, *words] for name, words in {**SMALL, **REAL}.items()},
    sizes={
        "cpu": Size("cpu", CPU, arms=tuple(SMALL)),
        "gpu": Size("gpu", GPU, (0,), arms=tuple(REAL)),
    },
    measure=measure,
    apart=frozenset(list(REAL)[:1]),
    against=AGAINST,
    once=["model.hidden=8", "model.layers=1"],
)
