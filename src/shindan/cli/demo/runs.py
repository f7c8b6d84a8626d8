"""The five relived systems, each watched in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shindan.core.errors import ShindanError
from shindan.core.evidence.base import Evidence
from shindan.core.evidence.curve import FixedBatch, Prediction
from shindan.integrations.watching import from_record
from shindan.record.store import read
from shindan.report.view import View, read_sources

NAMES = ("masked_lm", "logbert", "phase8", "distillation", "context_vector")
AT_ONCE = 2
"""Runs side by side, one thread each."""
SAYS = re.compile(r"(\d+)/(\d+).*\bloss (\S+)")
"""How the scripts tell where they are."""


@dataclass(frozen=True)
class Relived:
    """One run that is over: its diagnosis with the evidence, and what the script said at last."""

    name: str
    view: View
    said: str = ""


def prepared(folder: Path) -> None:
    """Lay the scripts out, a folder each, where they can be read, changed and run again."""
    room = resources.files("shindan.reference.relived")
    try:
        for name in NAMES:
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            for old in place.glob("*.db*"):
                old.unlink()
            for file in (f for f in room.iterdir() if f.name.partition(".")[0] == name):
                (place / file.name).write_bytes(file.read_bytes())
    except OSError as error:
        raise ShindanError("not-writable", path=folder, error=error.strerror) from error


def relived(folder: Path, console: Console) -> list[Relived]:
    """Run all of them, with progress on ``console``."""
    columns = (TextColumn("{task.description:<15}"), BarColumn(), TextColumn("{task.fields[now]}"))
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        bars = [progress.add_task(n, total=None, start=False, now="") for n in NAMES]
        waiting = [
            pool.submit(_run, folder / n, n, progress, bar)
            for n, bar in zip(NAMES, bars, strict=True)
        ]
        try:
            return [run.result() for run in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(folder: Path, name: str, progress: Progress, bar: TaskID) -> Relived:
    """Watch one script to its end, its progress read from what it prints."""
    progress.start_task(bar)
    command = [sys.executable, "-m", "shindan", "run", "--quiet", "--record-dir", "."]
    with (
        (folder / "errors.txt").open("w", encoding="utf-8") as errors,
        (folder / "output.txt").open("w", encoding="utf-8") as output,
        subprocess.Popen(
            [*command, f"{name}.py"],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            output.write(line)
            if said := SAYS.search(line):
                done, total, loss = said.groups()
                progress.update(bar, completed=int(done), total=int(total), now=f"loss {loss}")
    progress.update(bar, now="")
    return finished(folder, name)


def finished(folder: Path, name: str) -> Relived:
    """Read what a run has left. Raises ShindanError when it left no record."""
    record = next(folder.glob("*.db"), None)
    if record is None:
        told = (folder / "errors.txt").read_text(encoding="utf-8").strip().splitlines()
        raise ShindanError("demo-not-run", path=f"{folder / name}.py", error=" ".join(told[-1:]))
    held = read(record)
    document = from_record(held, record)
    tokens = folder / f"{name}.tokens.json"
    words = tuple(json.loads(tokens.read_text(encoding="utf-8"))) if tokens.exists() else ()
    evidence = spelt(held.evidence, words)
    sources = read_sources(document, folder)
    view = View(document, evidence, sources, str(folder.absolute()))
    return Relived(name, view, last_words((folder / "output.txt").read_text(encoding="utf-8")))


def last_words(output: str) -> str:
    """What the script printed after its last line of progress."""
    lines = output.splitlines()
    progress = [i for i, line in enumerate(lines) if SAYS.search(line)]
    return "\n".join(lines[progress[-1] + 1 :] if progress else lines)


def spelt(
    evidence: Mapping[type[Evidence], Evidence], words: tuple[str, ...]
) -> dict[type[Evidence], Evidence]:
    """The evidence with the predictions' ids spelt out."""
    found = dict(evidence)
    fixed = found.get(FixedBatch)
    if isinstance(fixed, FixedBatch) and words:
        told = tuple(_spelt(p, words) for p in fixed.predictions)
        found[FixedBatch] = replace(fixed, predictions=told)
    return found


def _spelt(prediction: Prediction, words: tuple[str, ...]) -> Prediction:
    if max(prediction.truth, *prediction.top) >= len(words):
        return prediction
    return replace(
        prediction,
        truth_text=words[prediction.truth],
        top_text=tuple(words[i] for i in prediction.top),
    )
