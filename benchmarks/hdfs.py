"""LogBERT and what needs no model on HDFS, at its natural prevalence, in one table.

    python benchmarks/hdfs.py OUT --data ../shared/data/hdfs --seeds 0 1 2 --size hdfs

Every run is one of ``shindan train`` in a folder of its own and its figures are kept there, so a
stopped script goes on where it was. Limits are set on validation sessions of ``hdfs_train`` alone;
nothing is chosen on the test, but the columns "recall at" that say so.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from shindan.reference.data.sessions import Session, read_sessions
from shindan.reference.recipes import log_baselines as baselines
from shindan.reference.recipes.anomalies import opened
from shindan.reference.recipes.log_evaluation import HdfsTest, figures, hdfs_test, recall_at
from shindan.reference.recipes.log_rules import RULES, limit
from shindan.reference.recipes.logbert import parts

Row = dict[str, Any]
ARMS: dict[str, list[str]] = {
    "LogBERT, sorted": [],
    "LogBERT, in order": ["ordered=true"],
    "LogBERT, in order, mask .65": ["ordered=true", "mask_rate=0.65"],
    "LogBERT, sorted, no sphere": ["sphere=0"],
}
"""What is put after size=; the first is the recipe."""
AT = (0.001, 0.002, 0.005, 0.01)
SHARE, FALSE_ALARMS = 0.15, 0.002
"""As in the recipe: of validation sessions, and of them called anomalous."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hdfs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", default=["LogBERT, sorted"], choices=list(ARMS))
    parser.add_argument("--size", default="hdfs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("settings", nargs="*", help="key=value for every run")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    test = hdfs_test(asked.data)
    rows = kept(asked.out / "baselines.json", partial(without_model, asked.data, test))
    for arm in asked.arms:
        for seed in asked.seeds:
            name = "".join(c if c.isalnum() else "-" for c in f"{arm}-{seed}")
            run = asked.out / name
            words = [f"size={asked.size}", f"data={asked.data}", f"seed={seed}", *ARMS[arm]]
            train(run, [*words, f"device={asked.device}", *asked.settings])
            rows += kept(run / "hdfs.json", partial(of_run, run, arm, seed, test, asked.device))
            (asked.out / "hdfs.json").write_text(json.dumps(rows, indent=1))
            print(table(rows), flush=True)


def kept(path: Path, make: Callable[[], list[Row]]) -> list[Row]:
    """What is in the file, else what is made now."""
    if not path.exists():
        path.write_text(json.dumps(make(), indent=1))
    found: list[Row] = json.loads(path.read_text())
    return found


def train(run: Path, words: list[str]) -> None:
    """Begin the run, or go on with it."""
    if (run / "trained").exists():
        return
    resume = ["resume=true"] if (run / "checkpoint.pt").exists() else []
    if not resume and (run / "settings.json").exists():
        (run / "settings.json").unlink()  # stopped before it kept anything
    command = [sys.executable, "-m", "shindan", "train", "logbert", *words, *resume]
    began = time.perf_counter()
    subprocess.run([*command, f"output_dir={run}"], check=True)
    (run / "trained").write_text(f"{time.perf_counter() - began:.0f} s\n")


def without_model(data: Path, test: HdfsTest) -> list[Row]:
    """Yes-or-no baselines have all of ``hdfs_train``; a distance needs some of it for its limit."""
    every = read_sessions(data / "hdfs_train")
    fitted, validation = parts(every, SHARE)
    new, long = baselines.new_event(every), baselines.length(every)
    some = {
        "always anomalous": baselines.always,
        "unseen sequence": baselines.unseen_sequence(every),
        "new event": new,
        "length": long,
        "new event or length": baselines.either(new, long),
        "unseen counts": baselines.unseen_counts(every),
    }
    rows = [row(name, test, says, 0.5) for name, says in some.items()]
    distance = baselines.count_distance(fitted)
    at = limit([distance(one) for one in validation], FALSE_ALARMS)
    return [*rows, row("count-vector distance", test, distance, at, ranked=True)]


def row(
    name: str, test: HdfsTest, score: Callable[[Session], float], at: float, ranked: bool = False
) -> Row:
    """The figures of a score with a limit."""
    memory: dict[tuple[str, ...], float] = {}
    for one in [*test.anomalies, *test.normals]:
        if one.keys not in memory:
            memory[one.keys] = score(one)
    scores = [
        [memory[one.keys] for one in some] for some in (test.anomalies, test.normals, test.unseen)
    ]
    return measured(name, scores, [[s > at for s in some] for some in scores], at, ranked)


def measured(
    name: str, scores: list[list[float]], said: list[list[bool]], at: object, ranked: bool
) -> Row:
    """Anomalies, normals, unseen normals: their scores and what was said of them."""
    found: Row = {"method": name, "limit": at, **asdict(figures(*said))}
    if ranked:
        found["recall_at"] = {share: recall_at(scores[0], scores[1], share) for share in AT}
    return found


def of_run(run: Path, arm: str, seed: int, test: HdfsTest, device: str) -> list[Row]:
    """The verdict as `shindan anomalies` gives it, and each rule alone."""
    began = time.perf_counter()
    log = opened(run, device)
    every: Sequence[Session] = [*test.anomalies, *test.normals, *test.unseen]
    scores = log.detector.scores(every)
    ends = (len(test.anomalies), len(test.anomalies) + len(test.normals))
    groups = [scores[: ends[0]], scores[ends[0] : ends[1]], scores[ends[1] :]]
    unseen = log.detector.vocabulary.unseen(test.anomalies)
    rows = []
    for rule in RULES:
        said = [[log.limits.says(rule, one) for one in some] for some in groups]
        values = [[value(rule, one, log.limits.g) for one in some] for some in groups]
        if rule == log.limits.decides:
            verdicts = [[log.limits.anomalous(one) for one in some] for some in groups]
            rows.append(measured(f"{arm}: verdict", values, verdicts, asdict(log.limits), True))
        rows.append(measured(f"{arm}: {rule} alone", values, said, asdict(log.limits), True))
    about = {
        "seed": seed,
        "trained": (run / "trained").read_text().strip(),
        "scored_s": round(time.perf_counter() - began),
        "unseen_keys": unseen,
    }
    return [one | about for one in rows]


def value(rule: str, one: Any, g: int) -> float:
    """The score behind a rule."""
    return float({"surprise": one.surprise, "top": one.misses(g), "sphere": one.distance}[rule])


def table(rows: list[Row]) -> str:
    """In Markdown."""
    lines = [
        "| method | seed | recall | false alarms | of 612 unseen | precision | F1 | 95 % | "
        + " | ".join(f"recall at {share:.1%}" for share in AT) + " |",
        "|---|---|---|---|---|---|---|---|" + "---|" * len(AT),
    ]  # fmt: skip
    for one in rows:
        at = [f"{100 * share:.1f}" for share in one.get("recall_at", {}).values()]
        lines.append(
            f"| {one['method']} | {one.get('seed', '')} | {100 * one['recall']:.2f} "
            f"| {100 * one['false_alarms']:.3f} | {100 * one['unseen_false_alarms']:.1f} "
            f"| {100 * one['precision']:.2f} | **{100 * one['f1']:.2f}** "
            f"| {100 * one['low']:.1f}–{100 * one['high']:.1f} "
            f"| {' | '.join(at or [''] * len(AT))} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
