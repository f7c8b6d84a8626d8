"""Validation perplexity along the way, of finished runs and of those that were stopped."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean

from settling.runs import folder_name
from settling.tables import half_interval
from shindan.reference.train.metrics import read

Curve = Mapping[int, float]
"""By updates done."""


def curves(folder: Path, arm: str, kind: str, what: str) -> dict[int, Curve]:
    """By seed, the runs of the arm that have been evaluated."""
    found: dict[int, Curve] = {}
    for run in folder.glob(f"{folder_name(arm)}-*"):
        seed = run.name.rpartition("-")[2]
        if run.name == f"{folder_name(arm)}-{seed}" and seed.isdecimal():
            told = (line for line in read(run) if line["kind"] == kind)
            found[int(seed)] = {int(line["update"]): float(line[what]) for line in told}
    return found


def table(folder: Path, arms: Iterable[str], updates: Iterable[int]) -> str:
    """Rows of Markdown: means over the seeds that came so far, their number in brackets."""
    updates = list(updates)
    rows = [
        "| validation perplexity after | " + " | ".join(f"{n:,}" for n in updates) + " |",
        "|---" * (len(updates) + 1) + "|",
    ]
    for arm in arms:
        held = curves(folder, arm, "validation", "perplexity").values()
        cells = []
        for update in updates:
            there = [curve[update] for curve in held if update in curve]
            cells.append(f"{fmean(there):.2f} ({len(there)})" if there else "–")
        rows.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def gaps(folder: Path, arm: str, other: str, updates: Iterable[int]) -> str:
    """A row for :func:`table`: the paired difference with its 95 % interval, where seeds allow."""
    ours, theirs = (curves(folder, name, "validation", "perplexity") for name in (arm, other))
    cells = []
    for update in updates:
        found = [
            ours[seed][update] - theirs[seed][update]
            for seed in ours.keys() & theirs.keys()
            if update in ours[seed] and update in theirs[seed]
        ]
        text = f"{fmean(found):+.2f}" if found else "–"
        if len(found) > 1:
            half = half_interval(found)
            text += f" [{fmean(found) - half:+.2f}, {fmean(found) + half:+.2f}]"
        cells.append(text)
    return f"| {arm} minus {other} | " + " | ".join(cells) + " |"


def losses(folder: Path, arms: Iterable[str], updates: Iterable[int]) -> str:
    """Rows for :func:`table`: the training loss just before, mean of the last ten told."""
    rows = []
    for arm in arms:
        held = [list(c.items()) for c in curves(folder, arm, "train", "loss").values()]
        cells = []
        for update in updates:
            there = [
                fmean([loss for n, loss in curve if n <= update][-10:])
                for curve in held
                if curve and curve[-1][0] >= update
            ]
            cells.append(f"{fmean(there):.3f} ({len(there)})" if there else "–")
        rows.append(f"| training loss, {arm} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
