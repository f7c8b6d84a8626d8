"""Report 1: which of the candidates makes the NaN, and which of the report's five changes cures it.

Both ways: the reported run with one thing put right, and the right run with one thing as reported.
A NaN of this kind is arithmetic on the rows that come, so that small runs settle it; the logs are
the embedded one, and real ones whose lines tell their time. In BGL's windows nothing is padded.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from settling.plan import Plan, Size, Words
from shindan.reference.train.metrics import Line, read

NAME = "logbert-as-reported"
RIGHT: Words = [
    "model.init=normal", "model.layer_norm=torch", "model.time=off", "model.root=false",
    "model.blank_padding=false", "model.plain=false", "guard=before", "longest_first=false",
    "keys=1", "optimizer=adamw", "learning_rate=2e-3", "schedule=linear", "clip=1",
]  # fmt: skip
"""Every fault put right: the recipe ``logbert``, with the report's share of masked keys."""
SMALL, SLOW, ALONE = "model.init=small", ["learning_rate=1e-5", "warmup_updates=10"], ["keys=1",
    "sphere=0"]  # fmt: skip
TORCH = "model.layer_norm=torch"


def mended(*changes: str) -> Words:
    """The reported run with something put right."""
    return [NAME, *changes]


def spoilt(*changes: str) -> Words:
    """The right run with something as reported."""
    return [NAME, *RIGHT, *changes]


ARMS = {
    "as reported": mended(),
    # the report's five changes
    "reported, init x 0.1": mended(SMALL),
    "reported, clip 1": mended("clip=1"),
    "reported, no guard": mended("guard=off"),
    "reported, lr 1e-5": mended(*SLOW),
    "reported, no sphere": mended(*ALONE),
    "reported, the report's five": mended(SMALL, "clip=1", *SLOW, *ALONE),
    # what it did not look at
    "reported, torch LayerNorm": mended(TORCH),
    "reported, torch.std": mended("model.layer_norm=std"),
    "reported, padding as it is": mended("model.blank_padding=false"),
    "reported, log of seconds": mended("model.time=log"),
    "reported, no seconds": mended("model.time=off"),
    "reported, squared distance": mended("model.root=false"),
    "reported, guard before clipping": mended("guard=before"),
    "reported, shuffled": mended("longest_first=false"),
    # whether a rate that explodes makes one where nothing else does
    "torch LayerNorm, lr 0.1": mended(TORCH, "learning_rate=0.1"),
    "torch LayerNorm, lr 0.1, no clip": mended(TORCH, "learning_rate=0.1", "clip=0"),
    "torch LayerNorm, lr 10, no clip": mended(TORCH, "learning_rate=10", "clip=0"),
    "right": spoilt(),
    "right, PyTorch's init": spoilt("model.init=default"),
    "right, clip 10": spoilt("clip=10"),
    "right, guard after clipping": spoilt("guard=after"),
    "right, SGD at 1e-4": spoilt("optimizer=sgd", "learning_rate=1e-4", "schedule=constant"),
    "right, plain head": spoilt("model.plain=true"),
    "right, LayerNorm by root": spoilt("model.layer_norm=sqrt"),
    "right, LayerNorm by torch.std": spoilt("model.layer_norm=std"),
    "right, padding blanked": spoilt("model.blank_padding=true"),
    "right, both": spoilt("model.layer_norm=sqrt", "model.blank_padding=true"),
    "right, both, no guard": spoilt(
        "model.layer_norm=sqrt", "model.blank_padding=true", "guard=off"
    ),
    "right, torch.std, padding blanked": spoilt("model.layer_norm=std", "model.blank_padding=true"),
    "right, raw seconds": spoilt("model.time=raw"),
    "right, root of the distance": spoilt("model.root=true"),
}
DECISIVE = (
    "as reported", "reported, the report's five", "reported, torch LayerNorm",
    "reported, padding as it is", "reported, no seconds", "reported, no guard", "right",
    "right, both", "right, raw seconds", "right, root of the distance",
)  # fmt: skip
LENGTH: Words = ["size=tiny", "max_updates=60", "evaluate_every=60", "save_every=60"]


def measure(folder: Path) -> dict[str, float]:
    """Whether and when something was not finite, where, how far it went, and what was learnt."""
    lines = read(folder)
    train = [line for line in lines if line["kind"] == "train"]
    bad = [line for line in train if not finite(line, "grad_norm")]
    found = {"runs with a NaN": float(bool(bad))}
    last = [line for line in lines if line["kind"] == "validation"][-1]
    found["validation nll"] = float(last["nll"])
    found["updates lost, %"] = 100 * sum(map(lost, train)) / len(train)
    if bad:
        found |= of_first(bad)
    return found


def of_first(bad: Sequence[Line]) -> dict[str, float]:
    """Of the first update that was not finite: when, in the loss or behind it, how much of it."""
    first = bad[0]
    found = {
        "first at update": float(first["update"]),
        "its loss is finite": float(finite(first, "loss")),
    }
    if "unfinite_before" in first:
        found["gradients not finite, %"] = 100 * float(first["unfinite_before"])
        found["after clipping, %"] = 100 * float(first["unfinite_after"])
    return found


def lost(line: Line) -> bool:
    """Skipped, or made with a NaN."""
    return bool(line["refused"]) or not finite(line, "grad_norm")


def finite(line: Line, name: str) -> bool:
    """JSON has no NaN: the metrics write its name."""
    return math.isfinite(float(line[name]))


PLAN = Plan(
    question="What makes the NaN, and which of the report's five changes cures it?",
    arms=ARMS,
    against={arm: "right" for arm in ARMS if arm.startswith("right, ")},
    apart=frozenset({"right"}),
    sizes={
        "cpu": Size("cpu", LENGTH, seeds=(0, 1, 2, 3, 4)),
        "hdfs": Size("cpu", [*LENGTH, "data={data}/loghub_2k/HDFS_2k.log"], arms=DECISIVE),
        "bgl": Size(
            "cpu", [*LENGTH, "data={data}/loghub_2k/BGL_2k.log", "window=16"], arms=DECISIVE
        ),
    },
    measure=measure,
    beside=(
        "first at update", "its loss is finite", "gradients not finite, %", "after clipping, %",
        "updates lost, %",
    ),
)  # fmt: skip
