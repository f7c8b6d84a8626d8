"""Training curves of a plan's arms, with the lines that frequencies alone reach."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from settling.plan import Plan
from settling.runs import folder_name
from shindan.reference.train.metrics import read

WINDOW = 50
"""Updates of the running mean."""
POINTS = 250
"""Of a curve, about: more are not seen and make a large file."""


def draw(
    plan: Plan, folder: Path, arms: Sequence[str], lines: Mapping[str, float], path: Path
) -> None:
    """The training loss of the first seed that is there of each arm."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for arm in arms:
        runs = sorted(folder.glob(f"{folder_name(arm)}-[0-9]*"))
        told = [line for run in runs[:1] for line in read(run) if line["kind"] == "train"]
        if len(told) > 1:
            updates = np.array([line["update"] for line in told])
            losses = np.array([float(line["loss"]) for line in told])
            wide = max(1, min(len(told) // 4, WINDOW // int(updates[1] - updates[0])))
            mean = np.convolve(losses, np.ones(wide) / wide, "valid")
            few = slice(None, None, max(1, len(mean) // POINTS))
            axes.plot(updates[wide - 1 :][few], mean[few], label=arm, lw=1.2)
    for name, value in lines.items():
        axes.axhline(value, color="gray", lw=0.8, ls="--")
        axes.annotate(name, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axes.set_ylim(min(lines.values()) - 0.5, max(lines.values()) + 0.5)
    axes.set_xlabel("update")
    axes.set_ylabel("training loss, nats a label (running mean)")
    axes.legend(fontsize="small", loc="lower left")
    figure.savefig(path, metadata={"Date": None})
