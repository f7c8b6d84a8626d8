"""Training losses of report 0's main arms over the updates, every seed: where each of them stays.

python benchmarks/plateaus.py OUT/report_0:gpu      # draws into docs/findings
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))

from settling.runs import folder_name

from shindan.reference.train.metrics import read

ARMS = {
    "BERT": "tab:blue",
    "BERT, sinusoids": "tab:gray",
    "reported": "tab:red",
    "reported, words x root H": "tab:orange",
    "reported, words x root H, positions x1": "tab:green",
    "reported, embedding LayerNorm": "tab:olive",
    "Vaswani, right": "tab:purple",
}
OVER = 10
"""Logged losses that one point is the mean of."""
UNIGRAM = {"gpu": 6.978}
"""Entropy of the pieces of WikiText-2, 8,000 of them learnt from it, in nats."""


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    size = folder.name.partition(":")[2]
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    for arm, colour in ARMS.items():
        for number, run in enumerate(sorted(folder.glob(f"{folder_name(arm)}-[0-9]"))):
            updates, losses = course(run)
            axes.plot(updates, losses, color=colour, lw=1.2, label=None if number else arm)
    if size in UNIGRAM:
        axes.axhline(UNIGRAM[size], color="black", lw=0.8, ls=":", label="unigram entropy")
    axes.set_ylim(top=7.3)
    axes.set_xlabel("update")
    axes.set_ylabel("training loss (nats per label)")
    figure.legend(loc="outside right upper")
    docs = Path(__file__).parent.parent / "docs/findings"
    figure.savefig(docs / f"report-0-{size}-curves.svg", metadata={"Date": None})


def course(run: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Updates and losses, means over OVER logged lines."""
    lines = [line for line in read(run) if line["kind"] == "train"]
    parts = [lines[n : n + OVER] for n in range(0, len(lines) - OVER + 1, OVER)]
    losses = [fmean(float(line["loss"]) for line in part) for part in parts]
    return [fmean(line["update"] for line in part) for part in parts], losses


if __name__ == "__main__":
    main()
