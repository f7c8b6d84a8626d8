"""Report 4: why the bigger context-vector model was worse."""

from pathlib import Path

from settling.plan import Plan, Size
from shindan.reference.train.metrics import read


def measure(folder: Path) -> dict[str, float]:
    """Of the last evaluation."""
    last = [line for line in read(folder) if line["kind"] == "validation"][-1]
    return {"validation loss": float(last["loss"]), "perplexity": float(last["perplexity"])}


PLAN = Plan(
    question="Does depth hurt, and what of it do residuals and init cure?",
    arms={
        "6 layers, as reported": ["context-vector-as-reported", "model.layers=6"],
        "12 layers, as reported": ["context-vector-as-reported", "model.layers=12"],
        "12 layers, residual": [
            "context-vector-as-reported",
            "model.layers=12",
            "model.residual=true",
        ],
    },
    sizes={"cpu": Size("cpu", ["size=tiny", "max_updates=60", "evaluate_every=60"])},
    measure=measure,
)
