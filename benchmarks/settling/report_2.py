"""Report 2: what hooks, scaler, clip, controller and accumulation do to the way the weights go.

Every arm sees 62 times 16 rows, the report's window of 62 updates. All are runs of
``causal-mix-as-reported``, which with every fault switched off is ``causal-mix`` (a test holds it
to that) and tells how far the weights are from where they began.
"""

from pathlib import Path
from statistics import fmean, pstdev

from settling.plan import Plan, Size, Words
from shindan.reference.train.controller import WINDOW
from shindan.reference.train.metrics import read

REPORTED: Words = ["causal-mix-as-reported"]
RIGHT: Words = [
    *("causal-mix-as-reported", "hooks=false", "always_scaled=false", "pinned=false"),
    *("logs_schedule=false", "label_smoothing=0", "batch_size=16", "accumulation=1"),
    *("optimizer=adamw", "learning_rate=3e-3", "schedule=cosine", "warmup_updates=6"),
    *("beta2=0.95", "weight_decay=0.1"),
]
FREE: Words = ["pinned=false", "controller=tsp"]
REPAIRED: Words = [*FREE, "absolute_limits=false"]
REPORTED_LESS: dict[str, Words] = {
    "no hooks": ["hooks=false"],
    "no scaler": ["always_scaled=false"],
    "not pinned, lr .05": ["pinned=false"],
    "controller free, limits as reported": FREE,
    "controller repaired": REPAIRED,
    "no clip": ["clip=0"],
    "one batch of 16": ["batch_size=16", "accumulation=1"],
    "accumulation 8, 124 updates": ["accumulation=8", "max_updates=124"],
    "no accumulation, 992 updates": ["accumulation=1", "max_updates=992"],
    "no smoothing": ["label_smoothing=0"],
    "no decay": ["weight_decay=0"],
    "no hooks, no clip": ["hooks=false", "clip=0"],
    "no hooks, no clip, not pinned": ["hooks=false", "clip=0", "pinned=false"],
    "AdamW, lr 3e-3": ["optimizer=adamw", "learning_rate=3e-3"],
}
RIGHT_MORE: dict[str, Words] = {
    "hooks": ["hooks=true"],
    "hooks and scaler": ["hooks=true", "always_scaled=true"],
    "pinned": ["pinned=true"],
    "controller as reported": FREE,
    "controller repaired": REPAIRED,
    "16 micro-steps of 1 row": ["batch_size=1", "accumulation=16"],
    "smoothing": ["label_smoothing=0.1"],
    "no clip": ["clip=0"],
    "SGD, lr .05": ["optimizer=sgd", "learning_rate=0.05"],
}
ARMS = {
    "as reported": REPORTED,
    **{f"reported, {what}": [*REPORTED, *words] for what, words in REPORTED_LESS.items()},
    "right": RIGHT,
    **{f"right, {what}": [*RIGHT, *words] for what, words in RIGHT_MORE.items()},
}
MIX = (
    "mix={{'{data}/ja_aozora_pd/aozora_pd.txt.gz': 0.30,"
    " '{data}/ja_jsquad_wikipedia/paragraphs.txt': 0.03,"
    " '{data}/wikitext-2/train.raw.gz': 0.33, 'standard-library': 0.34}}"
)
"""A third each, as in the report; Japanese Wikipedia is small and would be learnt by heart."""


def measure(folder: Path) -> dict[str, float]:
    """Loss, and how far and how evenly the weights went.

    ``displacement`` is the L2 norm between the weights at the end and at the beginning, ``path``
    the sum of the norms of all updates; ``cut percent`` the share of gradients that the hooks
    changed; ``least norm CV`` the smallest coefficient of variation of the gradient norm over ten
    updates, which is what the controller measures.
    """
    lines = read(folder)
    train = [line for line in lines if line["kind"] == "train"]
    last = [line for line in lines if line["kind"] == "validation"][-1]
    norms = [float(line["grad_norm"]) for line in train]
    windows = [norms[end - WINDOW : end] for end in range(WINDOW, len(norms) + 1)]
    variations = [pstdev(window) / fmean(window) for window in windows]
    found = {"validation loss": float(last["loss"])}
    if "displacement" in last:  # not in a run of the right recipe, which others begin with
        cut = [100 * float(line["cut"]) for line in train if "cut" in line]
        found["displacement"] = float(last["displacement"])
        found["path"] = sum(float(line["moved"]) for line in train)
        found["cut percent"] = fmean(cut) if cut else 0.0
    return {**found, "least norm CV": min(variations)}


SHORT: Words = ["max_updates=62", "evaluate_every=992", "warmup_updates=0"]
PLAN = Plan(
    question="What does each brake do to the real displacement of the weights, and to the loss?",
    arms=ARMS,
    sizes={
        "cpu": Size("cpu", ["size=small", MIX, *SHORT], (0, 1, 2, 3)),
        # Where the report's log begins: not with the run. What the controller sees, how much the
        # gradient norm varies, may be another there than at the first update.
        "late": Size(
            "cpu",
            ["size=small", MIX, *SHORT, "begin_from={folder}/begun"],
            before={
                "begun": [
                    *("causal-mix", "size=small", MIX, "max_updates=60", "schedule=constant"),
                    "warmup_updates=20",
                ]
            },
            arms=(
                "as reported",
                "reported, no hooks",
                "reported, not pinned, lr .05",
                "reported, no hooks, no clip, not pinned",
                "reported, AdamW, lr 3e-3",
                "right",
            ),
        ),
        "gpu": Size(
            "gpu",
            ["size=300m", MIX, *SHORT, "compile=false", "evaluation_rows=32"],
            (0,),
            arms=(
                "as reported",
                "reported, no hooks",
                "reported, no clip",
                "reported, no hooks, no clip",
                "reported, not pinned, lr .05",
                "reported, no hooks, no clip, not pinned",
                "reported, one batch of 16",
                "reported, no decay",
            ),
        ),
    },
    measure=measure,
    apart=frozenset({"right"}),
    against={f"right, {what}": "right" for what in RIGHT_MORE},
    beside=("path", "cut percent", "least norm CV"),
)
