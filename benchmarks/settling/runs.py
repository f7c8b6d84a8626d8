"""Many short runs of ``shindan train``: side by side, stopped at any time, gone on with later."""

import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from settling import mixtures
from settling.plan import Device, Plan, Words

DONE = "done.json"
PREPARED = ("tokenizer.json", "*.tokens")
"""What every run of a plan would make alike; it is made once and linked."""


@dataclass(frozen=True)
class Job:
    """One run: its folder says whether it is done."""

    folder: Path
    words: Words
    device: Device
    plan: Plan

    @property
    def done(self) -> bool:
        """Whether its numbers are there."""
        return (self.folder / DONE).exists()


def merged(*layers: Sequence[str]) -> Words:
    """key=value words of which the last of each key counts."""
    values = {word.partition("=")[0]: word for layer in layers for word in layer}
    return list(values.values())


def jobs(
    plan: Plan, size: str, out: Path, data: Path, seeds: Sequence[int], arms: Iterable[str]
) -> tuple[list[Job], list[Job]]:
    """(runs that the others need, all others), seed by seed, so that early pairs are whole."""
    chosen = plan.sizes[size]
    known = {**chosen.values, "data": data, "folder": out}

    def job(name: str, recipe: str, *layers: Sequence[str]) -> Job:
        told = [word.format(**known) for word in merged(*layers)]
        return Job(out / name, [recipe, *told], chosen.device, plan)

    first = [job(name, recipe, words) for name, (recipe, *words) in chosen.before.items()]
    rest = []
    for seed in seeds:
        for arm in arms:
            recipe, *words = plan.arms[arm]
            layers = (chosen.words, words, [f"seed={seed}"])
            rest.append(job(f"{folder_name(arm)}-{seed}", recipe, *layers))
    return first, rest


def folder_name(arm: str) -> str:
    """The arm's name without what folders do not like."""
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in arm.replace(" ", "-"))


class Slots:
    """Runs jobs, so many at a time on each kind of device, until all are done or time is up."""

    def __init__(self, at_once: dict[Device, int], until: float) -> None:
        self.at_once, self.until = at_once, until
        self.lock = threading.Lock()

    def run(self, todo: Iterable[Job]) -> None:
        """Every job that is not done; one that fails is told of and leaves the others alone."""
        todo = [job for job in todo if not job.done]
        pools = {kind: ThreadPoolExecutor(max(1, n)) for kind, n in self.at_once.items()}
        waiting = [pools[job.device].submit(self.one, job) for job in todo if job.device in pools]
        for each in waiting:
            each.result()

    def one(self, job: Job) -> None:
        """From the checkpoint, if there is one, to its numbers."""
        left = self.until - time.monotonic()
        if left <= 0:
            return
        goes_on = (job.folder / "checkpoint.pt").exists()
        if not goes_on:
            shutil.rmtree(job.folder, ignore_errors=True)  # killed before there was anything
            self.link_prepared(job)
        told = [*job.words, f"output_dir={job.folder}", "plot=false"]
        told.append(f"resume={str(goes_on).lower()}")
        began = time.monotonic()
        status, said = trained(told, job.device, left)
        if status is None:
            return  # time is up: its checkpoint is there
        took = time.monotonic() - began
        numbers = (
            dict(job.plan.measure(job.folder)) if (job.folder / "metrics.jsonl").exists() else {}
        )
        if not numbers:
            print(f"{job.folder.name}: FAILED\n{said[-2000:]}", flush=True)
            return
        numbers |= {"status": status, "seconds": round(took, 1)}
        (job.folder / DONE).write_text(json.dumps(numbers), encoding="utf-8")
        (job.folder / "words.json").write_text(json.dumps(job.words), encoding="utf-8")
        shown = ", ".join(f"{k} {v:.4g}" for k, v in list(numbers.items())[:3])
        print(f"{job.folder.parent.name}/{job.folder.name}: {shown} ({took:.0f} s)", flush=True)

    def link_prepared(self, job: Job) -> None:
        """Tokenizer and tokens of an earlier run on the same text, where there is one."""
        made = job.folder.parent / f".prepared-{text_of(job.words)}"
        if made.exists():
            job.folder.mkdir(parents=True)
            for pattern in PREPARED:
                for file in made.glob(pattern):
                    # A run may write its tokenizer again, and would write it for all.
                    put = os.link if file.suffix == ".tokens" else shutil.copyfile
                    put(file, job.folder / file.name)

    def prepare(self, todo: Sequence[Job]) -> None:
        """Make what many runs would make alike: one run of one update for each kind of text."""
        kinds = {(job.folder.parent, text_of(job.words)): job for job in todo if not job.done}
        with ThreadPoolExecutor(sum(self.at_once.values())) as pool:
            for each in [
                pool.submit(self._prepared, job, kind) for (_, kind), job in kinds.items()
            ]:
                each.result()

    def _prepared(self, job: Job, kind: str) -> None:
        made = job.folder.parent / f".prepared-{kind}"
        if made.exists() or time.monotonic() > self.until:
            return
        part = job.folder.parent / f".part-{kind}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        if job.words[0].startswith("causal-mix"):
            mixtures.prepare(job.words, part)
            part.rename(made)
            return
        trial = job.folder.parent / f".trial-{kind}"
        shutil.rmtree(trial, ignore_errors=True)
        once = ["max_updates=1", f"output_dir={trial}", "plot=false", "compile=false"]
        trained(merged(job.words, once, job.plan.once), job.device, self.until - time.monotonic())
        for pattern in PREPARED:
            for file in trial.glob(pattern):
                file.rename(part / file.name)
        part.rename(made)
        shutil.rmtree(trial, ignore_errors=True)


TEXT = ("data=", "validation=", "unit=", "vocabulary=", "tokenizer=", "mix=", "distinct=", "split=",
        "validation_share=", "column=", "teacher=")  # fmt: skip
"""Settings that decide what the text's tokens are."""


def text_of(words: Sequence[str]) -> str:
    """A name for the tokens that a run with these words needs."""
    import hashlib

    size = [word for word in words if word.startswith("size=")]
    chosen = sorted(word for word in words if word.startswith(TEXT))
    learnt = "bpe" if "causal" in words[0] else "words" if "context" in words[0] else "pieces"
    return hashlib.blake2b(repr((learnt, size, chosen)).encode(), digest_size=6).hexdigest()


def trained(words: Sequence[str], device: Device, seconds: float) -> tuple[int | None, str]:
    """(exit status, what was said) of ``shindan train``, or of the script that stands in the
    recipe's place and takes the same words; no status where time was up."""
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    program = [] if words[0].endswith(".py") else ["-m", "shindan", "train"]
    command = [sys.executable, *program, *words]
    limit = seconds if math.isfinite(seconds) else None
    try:
        made = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return made.returncode, made.stderr + made.stdout


def numbers(folder: Path) -> dict[str, float] | None:
    """What was measured of a finished run."""
    path = folder / DONE
    if not path.exists():
        return None
    held: dict[str, float] = {
        name: float(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()
    }
    return held
