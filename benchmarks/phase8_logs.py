"""What the logs of report 2 themselves say: clipping, norms, slope, and how far it can have gone.

python benchmarks/phase8_logs.py [--page]
"""

import argparse
import json
import math
import sys
from pathlib import Path
from statistics import median, pstdev
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from settling.pages import put

from shindan.logs.trends import slope
from shindan.reference.train.controller import WINDOW

LOGS = {
    "report.json": "the report's 62",
    "before.json": "the 155 before",
    "after_lr_and_accumulation_fixed.json": "after: lr and accumulation",
    "after_scaler_off.json": "after: scaler off",
}
WEIGHTS, DECAY = 327_798_729, 0.01
"""Of the report's model, and of its optimizer (its configuration of that day)."""


def main() -> None:
    """One row a log; then what follows for the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--page", action="store_true", help="write it into docs/findings")
    asked = parser.parse_args()
    rows = [
        "| log | updates | loss, mean | change over the window, "
        "t (autocorrelation allowed for; independent points) "
        "| norm above clip | raw norm differs | CV of ten norms, least / median "
        "| way of the gradient alone |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, title in LOGS.items():
        text = (asked.data / "logs/phase8" / name).read_text(encoding="utf-8")
        rows.append(row(title, json.loads(text)["steps"]))
    told = "\n".join(rows) + "\n\n" + bound()
    print(told)
    if asked.page:
        put(Path(__file__).parent.parent / "docs/findings/report-2.md", "logs", told)


def row(title: str, steps: list[dict[str, Any]]) -> str:
    """Of one log; ``path`` is the sum over updates of rate used x min(norm, clip)."""
    loss = np.array([step["loss"] for step in steps])
    norms = [step["grad_norm"] for step in steps]
    line = slope(np.arange(len(loss), dtype=np.float64), loss)
    clipped = sum(step["grad_norm"] > step["grad_clip"] for step in steps)
    differs = sum(step["grad_norm"] != step["grad_norm_raw"] for step in steps)
    windows = [norms[end - WINDOW : end] for end in range(WINDOW, len(norms) + 1)]
    variations = [pstdev(window) / (sum(window) / WINDOW) for window in windows]
    path = sum(used(step) * min(step["grad_norm"], step["grad_clip"]) for step in steps)
    return (
        f"| {title} | {len(steps)} | {loss.mean():.3f} | {line.change:+.3f}, t = {line.t:+.2f} "
        f"({line.t_independent:+.2f}) "
        f"| {clipped / len(steps):.0%} | {differs} | {min(variations):.3f} / "
        f"{median(variations):.3f} | {path:.3f} |"
    )


def used(step: dict[str, Any]) -> float:
    """The optimizer's learning rate: later logs tell it, the report's only the controller's."""
    rates = step.get("optimizer_lrs", [step["tsp_effective_lr"]])
    return float(rates[0])


def bound() -> str:
    """The arithmetic of 62 updates at clip 1 and rate .005."""
    most = 62 * 1.0 * 0.005
    kept = (1 - 0.005 * DECAY) ** 62
    return (
        f"Gradients clipped to 1 at a rate of .005 carry {WEIGHTS:,} weights at most {most:.2f} in "
        f"L2 over 62 updates, {most / math.sqrt(WEIGHTS):.1e} each (RMS). The optimizer's decay of "
        f"{DECAY} takes {1 - kept:.2%} of the weights' own norm besides: for weights of RMS .02 "
        f"that is {(1 - kept) * 0.02 * math.sqrt(WEIGHTS):.2f} in L2, "
        f"{(1 - kept) * 0.02:.1e} each. The hook lets at most 10 / 65,536 = {10 / 65536:.2e} of "
        f"each gradient through in a micro-batch, {160 / 65536:.2e} in sixteen; over all weights "
        f"that is a norm of {160 / 65536 * math.sqrt(WEIGHTS):.0f}, far above the clip."
    )


if __name__ == "__main__":
    main()
