"""Report 3 settled: one teacher, and students with it, without it and as reported, by seed.

    python benchmarks/distillation.py OUT --size cpu --seeds 0 1 2

Every run is one of ``shindan train`` in a folder of its own, so a stopped script goes on where it
was. The seeds are paired: with the same seed all arms begin alike and see the same rows and masks.
The masks of the validation set are the same for all, the teacher included.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shindan.reference.train.metrics import Line, read

ARMS: dict[str, list[str]] = {
    "with teacher": ["distill-bert"],
    "without teacher": ["distill-bert", "method=alone"],
    "as reported": ["distill-bert-as-reported"],
    # loss by loss
    "answers alone": ["distill-bert", "method=logits"],
    "answers, T 1": ["distill-bert", "method=logits", "temperature=1"],
    "answers, T 4": ["distill-bert", "method=logits", "temperature=4"],
    "answers + hidden": ["distill-bert", "method=logits", "hidden=1"],
    "answers + relations": ["distill-bert", "method=minilm"],
    "distilbert": ["distill-bert", "method=distilbert"],
    "tinybert": ["distill-bert", "method=tinybert"],
    # the report's run with one fault mended
    "reported, T 4": ["distill-bert-as-reported", "temperature=4"],
    "reported, by position": ["distill-bert-as-reported", "reduction=positions"],
    "reported, projected up": ["distill-bert-as-reported", "projection=up"],
    "reported, tied": ["distill-bert-as-reported", "model.tied=true"],
    "reported, no hidden": ["distill-bert-as-reported", "hidden=0"],
    "right, projected down": ["distill-bert-as-reported", "method=combined", "temperature=2",
                              "soft=1", "hard=1", "reduction=positions", "model.tied=true"],
}  # fmt: skip
"""The first three are the question; the others are for --arms."""

SIZES: dict[str, dict[str, list[str]]] = {
    # So small that it leaves the unigram plateau within minutes on one core: 1,000 entries, pre-LN,
    # and an init that keeps the scale of narrow layers (0.02 would not).
    "cpu": {
        "both": [
            "size=tiny", "vocabulary=1000", "length=32", "batch_size=32",
            "evaluation_batch_size=64", "evaluate_every=1000000", "save_every=300",
            "model.norm=pre", "model.init_std=0.12", "model.dropout=0",
            "model.attention_dropout=0", "learning_rate=4e-3", "log_every=20",
        ],
        "teacher": [
            "model.hidden=96", "model.layers=2", "model.heads=4", "model.intermediate=384",
            "max_updates=4500",
        ],
        "student": [
            "model.hidden=48", "model.layers=2", "model.heads=4", "model.intermediate=192",
            "max_updates=1000",
        ],
    },
    # Issue 3's size: 30,522 entries, a student of width 256. Pre-LN and words times the root of the
    # width leave the unigram plateau in hundreds of updates, BERT's own form in thousands.
    "gpu": {
        "both": [
            "size=base", "tokenizer={data}/minilm_vocab", "length=128", "batch_size=64",
            "model.max_positions=128", "model.norm=pre", "model.positions=sinusoidal",
            "model.embedding_norm=false", "evaluation_batch_size=128", "precision=bf16",
            "schedule=cosine", "max_updates=4000", "evaluate_every=1000", "log_every=50",
        ],
        "teacher": ["model.layers=6", "model.embedding_scale=27.7", "learning_rate=4e-4"],
        "student": [
            "model.embedding_scale=16", "model.dropout=0", "model.attention_dropout=0",
            "learning_rate=1e-3", "rows_at_once=4096",
        ],
    },
}  # fmt: skip


def main() -> None:
    """Run what is not done yet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--size", choices=SIZES, default="cpu")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS)[:3])
    parser.add_argument("--together", type=int, default=1, help="students trained at one time")
    parser.add_argument("--teacher", nargs="*", default=[], help="key=value of the teacher alone")
    parser.add_argument("--student", nargs="*", default=[], help="key=value of every student")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after; go on later")
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    size = SIZES[asked.size]
    both = [word.format(data=asked.data) for word in size["both"]] + [
        f"data={asked.data}/wikitext-2/train.raw.gz",
        f"validation={asked.data}/wikitext-2/valid.raw.gz",
        "unit=article", "plot=false",
    ]  # fmt: skip
    teacher = asked.out / "teacher"
    settings = merged(both, size["teacher"], asked.teacher)
    made = run(teacher, ["bert-mlm", *settings], until)
    if "stopped" in made:
        sys.exit(f"stopped at update {made['update']} of the teacher; the same command goes on")
    alone = [word for word in both if not word.startswith(("tokenizer=", "vocabulary="))]

    def student(job: tuple[str, int]) -> Line:
        arm, seed = job
        recipe, *words = ARMS[arm]
        more = [f"seed={seed}", f"teacher={teacher}"]
        settings = merged(alone, size["student"], asked.student, words, more)
        folder = asked.out / f"{arm.replace(' ', '-').replace(',', '')}-{seed}"
        return run(folder, [recipe, *settings], until)

    jobs = [(arm, seed) for seed in asked.seeds for arm in asked.arms]
    with ThreadPoolExecutor(asked.together) as pool:
        lines = dict(zip(jobs, pool.map(student, jobs), strict=True))
    print(table(made, {arm: [lines[arm, seed] for seed in asked.seeds] for arm in asked.arms}))


def merged(*layers: list[str]) -> list[str]:
    """key=value words of which the last of each key counts."""
    values = {word.partition("=")[0]: word for layer in layers for word in layer}
    return list(values.values())


def run(folder: Path, words: list[str], until: float) -> Line:
    """The last evaluation of the run in ``folder``, made or gone on with where it is not done.

    At ``until`` it is stopped, and what comes back has ``stopped``.
    """
    done = folder / "done.json"
    if not done.exists():
        goes_on = (folder / "checkpoint.pt").exists()
        if not goes_on:
            shutil.rmtree(folder, ignore_errors=True)  # killed before there was anything to keep
        told = [*words, f"output_dir={folder}", f"resume={str(goes_on).lower()}", "--quiet"]
        began = time.monotonic()
        left = None if until == math.inf else until - began
        if left is not None and left <= 0:
            return {"update": 0, **last(folder), "stopped": True}
        try:
            subprocess.run(
                [sys.executable, "-m", "shindan", "train", *told], check=True, timeout=left
            )
        except subprocess.TimeoutExpired:
            return {"update": 0, **last(folder), "stopped": True}
        took = time.monotonic() - began
        done.write_text(json.dumps(last(folder)), encoding="utf-8")
        print(f"{folder.name}: {last(folder)['accuracy']:.2%} in {took:.0f} s", flush=True)
    line: Line = json.loads(done.read_text(encoding="utf-8"))
    return line


def last(folder: Path) -> Line:
    """The last evaluation a run has written, if any."""
    told = [line for line in read(folder) if line["kind"] == "validation"]
    return told[-1] if told else {}


def table(teacher: Line, arms: dict[str, list[Line]]) -> str:
    """Top-1 at the fixed validation masks: mean and standard deviation over seeds, one row an arm.

    "of teacher" is the student's accuracy over the teacher's; "- without" the paired difference to
    the same student without a teacher in percentage points, with its 95 % interval (t). A run that
    was stopped stands with the fewest updates of its row.
    """
    found = next((line for lines in arms.values() for line in lines if "labels" in line), None)
    if found is None:
        return "no student has been evaluated yet"
    rows = [
        f"masked positions: {found['labels']}",
        f"always the commonest token  {found['commonest_accuracy']:7.2%}",
        f"teacher                     {teacher['accuracy']:7.2%}   nll {teacher['loss']:.3f}"
        f"   {teacher['update']} updates",
        f"{'student':<24}{'seeds':>6}{'updates':>9}{'top-1':>9}{'sd':>8}{'of teacher':>12}"
        f"{'agrees':>9}{'nll':>8}   - without [95 %]",
    ]
    alone = arms.get("without teacher", [])
    for arm, lines in arms.items():
        pairs = zip(lines, alone, strict=False) if arm != "without teacher" else []
        gaps = [
            100 * (one["accuracy"] - two["accuracy"])
            for one, two in pairs
            if "labels" in one and one["update"] == two["update"]
        ]
        rows.append(row(arm, [line for line in lines if "labels" in line]) + interval(gaps))
    return "\n".join(rows)


def row(arm: str, lines: list[Line]) -> str:
    """One arm's means."""
    if not lines:
        return f"{arm:<24}{0:>6}"
    mine = [line["accuracy"] for line in lines]
    share = statistics.mean(line["accuracy"] / line["teacher_accuracy"] for line in lines)
    agrees, nll = (statistics.mean(line[key] for line in lines) for key in ("agreement", "loss"))
    spread = f"{statistics.stdev(mine):8.2%}" if len(mine) > 1 else f"{'-':>8}"
    updates = min(line["update"] for line in lines)
    return (
        f"{arm:<24}{len(lines):>6}{updates:>9}{statistics.mean(mine):9.2%}{spread}"
        f"{share:12.1%}{agrees:9.1%}{nll:8.3f}"
    )


def interval(gaps: list[float]) -> str:
    """The mean of paired differences and its 95 % interval."""
    if len(gaps) < 2:
        return "".join(f"   {gap:+.2f}" for gap in gaps)
    middle = statistics.mean(gaps)
    half = T95[len(gaps) - 1] * statistics.stdev(gaps) / math.sqrt(len(gaps))
    return f"   {middle:+.2f} [{middle - half:+.2f}, {middle + half:+.2f}]"


T95 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t by degrees of freedom, two-sided 95 %."""


if __name__ == "__main__":
    main()
