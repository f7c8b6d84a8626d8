"""A log of ten million rows: Shindan's readers against pandas reading the same file.

    python benchmarks/logs.py FOLDER --rows 10000000 --kinds csv jsonl text --times 3

Each reading is a process of its own: seconds of the reading itself (imports left out) and peak
memory of the process. Both read in turns, and the least of their times count: the machine may be
shared. The ratio is Shindan's over pandas'.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BLOCK = 100_000
LINES = {
    "csv": "{0},{1:.4f},{2:.6e},{3:.4f}\n",
    "jsonl": '{{"step": {0}, "loss": {1:.4f}, "lr": {2:.6e}, "grad_norm": {3:.4f}}}\n',
    "text": "iter {0}: loss {1:.4f}, lr {2:.6e}, norm {3:.4f}\n",
}
NUMBERS = r"iter (\d+): loss (\S+), lr (\S+), norm (\S+)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--kinds", nargs="+", default=list(LINES), choices=list(LINES))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--one", nargs=2, help="(a reading in its process: tool, kind)")
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one, asked.folder)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    print("| file | MB | rows | Shindan s | pandas s | ratio | Shindan MB | pandas MB | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        path = written(asked.folder, kind, asked.rows)
        turns = [
            [measured(asked.folder, tool, kind) for tool in ("shindan", "pandas")]
            for _ in range(asked.times)
        ]
        ours, theirs = (min(one, key=lambda m: m["s"]) for one in zip(*turns, strict=True))
        assert ours["rows"] == theirs["rows"] == asked.rows
        assert abs(ours["sum"] - theirs["sum"]) < 1e-6 * abs(theirs["sum"])
        print(
            f"| {kind} | {path.stat().st_size / 1e6:.0f} | {asked.rows:,} "
            f"| {ours['s']:.1f} | {theirs['s']:.1f} | {ours['s'] / theirs['s']:.2f} "
            f"| {ours['mb']:.0f} | {theirs['mb']:.0f} | {ours['mb'] / theirs['mb']:.2f} |",
            flush=True,
        )


def written(folder: Path, kind: str, rows: int) -> Path:
    path = folder / f"log.{kind}"
    chance = np.random.default_rng(0)
    with path.open("w") as file:
        if kind == "csv":
            file.write("step,loss,lr,grad_norm\n")
        for start in range(0, rows, BLOCK):
            steps = np.arange(start, min(start + BLOCK, rows))
            loss = 2 + 8 * np.exp(-steps / (rows / 5)) + chance.normal(0, 0.1, len(steps))
            lr = 1e-3 * (1 - steps / rows)
            norm = np.exp(chance.normal(0, 0.3, len(steps)))
            columns = (steps.tolist(), loss.tolist(), lr.tolist(), norm.tolist())
            file.writelines(map(LINES[kind].format, *columns))
    return path


def measured(folder: Path, tool: str, kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, str(folder), "--one", tool, kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def one(tool: str, kind: str, folder: Path) -> None:
    path = folder / f"log.{kind}"
    reading = with_shindan() if tool == "shindan" else with_pandas(kind)
    started = time.perf_counter()
    rows, loss = reading(path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"s": seconds, "mb": peak, "rows": rows, "sum": loss}))


Reading = Callable[[Path], tuple[int, float]]


def with_shindan() -> Reading:
    from shindan.logs.formats import formats
    from shindan.logs.reading import read

    formats()

    def reading(path: Path) -> tuple[int, float]:
        (table,) = read(path)
        return len(table), float(table.columns["loss"].sum())

    return reading


def with_pandas(kind: str) -> Reading:
    import pandas as pd

    def reading(path: Path) -> tuple[int, float]:
        if kind == "csv":
            frame = pd.read_csv(path)
        elif kind == "jsonl":
            frame = pd.read_json(path, lines=True)
        else:
            lines = pd.read_csv(path, sep="\x01", header=None, names=["line"])["line"]
            frame = lines.str.extract(NUMBERS).astype(float)
            frame.columns = ["step", "loss", "lr", "norm"]
        return len(frame), float(frame["loss"].sum())

    return reading


if __name__ == "__main__":
    main()
