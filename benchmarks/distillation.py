"""Report 3 settled: one teacher, and students with it, without it and as reported, by seed.

    python benchmarks/distillation.py OUT --size cpu --seeds 0 1 2

Every run is one of ``shindan train`` in a folder of its own, so a stopped script goes on where it
was. The seeds are paired: with the same seed all arms begin alike and see the same rows and masks.
The masks of the validation set are the same for all, the teacher included.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Line = dict[str, Any]

ARMS: dict[str, list[str]] = {
    "with teacher": ["distill-bert"],
    "without teacher": ["distill-bert", "method=none"],
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
    "cpu": {
        "both": [
            "vocabulary=4000", "length=64", "batch_size=32", "evaluation_batch_size=64",
            "evaluate_every=1000000", "save_every=200",
        ],
        "teacher": [
            "size=tiny", "model.hidden=128", "model.layers=3", "model.heads=4",
            "model.intermediate=512", "model.dropout=0", "model.attention_dropout=0",
            "learning_rate=2e-3", "max_updates=1600",
        ],
        "student": [
            "size=tiny", "model.hidden=64", "model.layers=2", "model.heads=4",
            "model.intermediate=256", "learning_rate=2e-3", "max_updates=1000",
        ],
    },
    "gpu": {
        "both": [
            "tokenizer={data}/minilm_vocab", "length=128", "batch_size=64",
            "evaluation_batch_size=64", "precision=bf16",
        ],
        "teacher": [
            "size=base", "model.layers=6", "model.max_positions=128", "learning_rate=2e-4",
            "epochs=30", "model.dropout=0.1", "weight_decay=0.05",
        ],
        "student": [
            "size=base", "model.max_positions=128", "model.dropout=0",
            "model.attention_dropout=0", "learning_rate=1e-3", "epochs=20",
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
    asked = parser.parse_args()
    size = SIZES[asked.size]
    both = [word.format(data=asked.data) for word in size["both"]] + [
        f"data={asked.data}/wikitext-2/train.raw.gz",
        f"validation={asked.data}/wikitext-2/valid.raw.gz",
        "unit=article", "log_every=20", "plot=false",
    ]  # fmt: skip
    teacher = asked.out / "teacher"
    made = run(teacher, ["bert-mlm", *both, *size["teacher"], *asked.teacher])
    alone = [word for word in both if not word.startswith(("tokenizer=", "vocabulary="))]

    def student(job: tuple[str, int]) -> Line:
        arm, seed = job
        recipe, *words = ARMS[arm]
        settings = [*alone, *size["student"], *asked.student, *words]
        folder = asked.out / f"{arm.replace(' ', '-')}-{seed}"
        return run(folder, [recipe, *settings, f"seed={seed}", f"teacher={teacher}"])

    jobs = [(arm, seed) for seed in asked.seeds for arm in asked.arms]
    with ThreadPoolExecutor(asked.together) as pool:
        lines = dict(zip(jobs, pool.map(student, jobs), strict=True))
    print(table(made, {arm: [lines[arm, seed] for seed in asked.seeds] for arm in asked.arms}))


def run(folder: Path, words: list[str]) -> Line:
    """The last evaluation of the run in ``folder``, made or gone on with where it is not done."""
    before = last(folder)
    began = time.perf_counter()
    if not (folder / "done.json").exists():
        if not (folder / "checkpoint.pt").exists():
            shutil.rmtree(folder, ignore_errors=True)  # killed before it had anything to go on with
        resume = f"resume={str((folder / 'checkpoint.pt').exists()).lower()}"
        command = [sys.executable, "-m", "shindan", "train", *words, f"output_dir={folder}", resume]
        subprocess.run([*command, "--quiet"], check=True, env={**os.environ, "LANG": "C"})
        before = last(folder)
        before["took"] = time.perf_counter() - began
        (folder / "done.json").write_text(json.dumps(before), encoding="utf-8")
        print(f"{folder.name}: {before['accuracy']:.2%} in {before['took']:.0f} s", flush=True)
    done: Line = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    return done


def last(folder: Path) -> Line:
    """The last evaluation a run has written, if any."""
    path = folder / "metrics.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    told = [line for line in lines if line["kind"] == "validation"]
    return dict(told[-1]) if told else {}


def table(teacher: Line, arms: dict[str, list[Line]]) -> str:
    """Top-1 at the fixed validation masks: mean and standard deviation over seeds, one row an arm.

    "of teacher" is the student's accuracy over the teacher's; "- without" the paired difference to
    the same student without a teacher, with its 95 % interval (t).
    """
    found = next(iter(arms.values()))[0]
    rows = [
        f"masked positions: {found['labels']}",
        f"always the commonest token  {found['commonest_accuracy']:7.2%}",
        f"teacher                     {teacher['accuracy']:7.2%}   "
        f"nll {teacher['loss']:.3f}   {teacher['update']} updates",
        f"{'student':<24}{'top-1':>11}{'sd':>8}{'of teacher':>12}{'agrees':>9}{'nll':>8}"
        f"   - without [95 %]",
    ]
    alone = arms.get("without teacher")
    for arm, lines in arms.items():
        mine = [line["accuracy"] for line in lines]
        share, agrees, nll = (
            statistics.mean(values)
            for values in (
                [line["accuracy"] / line["teacher_accuracy"] for line in lines],
                [line["agreement"] for line in lines],
                [line["loss"] for line in lines],
            )
        )
        spread = f"{statistics.stdev(mine):8.2%}" if len(mine) > 1 else f"{'-':>8}"
        row = f"{arm:<24}{statistics.mean(mine):11.2%}{spread}{share:12.1%}{agrees:9.1%}{nll:8.3f}"
        if alone and arm != "without teacher" and len(mine) > 1:
            gaps = [
                one["accuracy"] - two["accuracy"] for one, two in zip(lines, alone, strict=True)
            ]
            half = T95[len(gaps) - 1] * statistics.stdev(gaps) / math.sqrt(len(gaps))
            middle = 100 * statistics.mean(gaps)
            row += f"   {middle:+.2f} [{middle - 100 * half:+.2f}, {middle + 100 * half:+.2f}]"
        rows.append(row)
    return "\n".join(rows)


T95 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t by degrees of freedom, two-sided 95 %."""


if __name__ == "__main__":
    main()
