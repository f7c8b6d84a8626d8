"""``shindan read`` and ``compare`` on a file that holds several runs."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from shindan.cli.main import main
from shindan.report.jsondoc import schema


def falling(n: int, seed: int) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, 0.03, n)
    return list(3.2 + 7.6 * np.exp(-np.arange(n) / 15) + noise)


def rows(n: int, seed: int, peak: float = 3e-4) -> list[str]:
    """A run's lines: its rate decays, its loss falls."""
    rates = peak * (0.55 + 0.45 * np.cos(np.pi * np.arange(n) / n))
    return [
        f"step {10 * i} | loss {v:.4f} | lr {lr:.3e}\n"
        for i, (v, lr) in enumerate(zip(falling(n, seed), rates, strict=True))
    ]


def broken(n: int) -> list[str]:
    return [line.partition("loss")[0] + "loss nan\n" for line in rows(n, 9)]


@pytest.fixture
def nine(tmp_path: Path) -> Path:
    """Nine runs: three end at once, two end in NaN."""
    sick = [[*rows(80, 5)[:50], *broken(80)[50:]], [*rows(60, 8)[:30], *broken(60)[30:]]]
    short = [rows(2, 2), rows(3, 3), rows(2, 4)]
    parts = [rows(60, 1), *short, sick[0], rows(60, 6, 1e-4), rows(40, 7), sick[1], rows(60, 9)]
    path = tmp_path / "train.log"
    path.write_text("".join(line for part in parts for line in part))
    return path


def run(*args: object) -> Result:
    return CliRunner(env={"SHINDAN_LANG": "en"}).invoke(main, [*map(str, args)])


def document(path: Path, *args: object) -> dict[str, Any]:
    held = path.parent / "out.json"
    assert run("read", path, "--json", held, "--quiet", *args).exit_code == 0
    read: dict[str, Any] = json.loads(held.read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema()).iter_errors(read)) == []
    return read


def test_each_run_is_a_subject(nine: Path) -> None:
    read = document(nine)
    subjects = read["subjects"]
    assert [s["name"] for s in subjects] == [f"train.log #{n}" for n in (1, 5, 6, 7, 8, 9)]
    assert {s["record"] for s in subjects} == {str(nine)}
    assert [(s["run"], s["from_line"]) for s in subjects[:2]] == [(1, 1), (5, 68)]
    assert {s["runs"] for s in subjects} == {9}
    assert {tuple(s["short_runs"]) for s in subjects} == {(2, 3, 4)}
    assert [s["verdict"] for s in subjects] == ["healthy", "sick", "healthy", "healthy", "sick",
                                                "healthy"]  # fmt: skip
    grave = [f for f in read["findings"] if f["severity"] in ("critical", "major")]
    assert [(f["id"], f["subject"]) for f in grave] == [("symptom/nan", 1), ("symptom/nan", 4)]


def test_neither_a_jump_nor_a_schedule_is_seen_between_two_runs(tmp_path: Path) -> None:
    """As in a console that two trainings shared."""
    path = tmp_path / "console.log"
    path.write_text("".join([*rows(60, 1), *rows(60, 2, 5e-4)]))
    assert document(path)["findings"] == []


def test_the_file_is_told_before_its_runs(nine: Path) -> None:
    told = " ".join(run("read", nine).output.split())
    assert "train.log holds 9 runs, one after another; each is judged by itself." in told
    assert "Findings above info: #5 (critical), #8 (critical)." in told
    assert "3 runs of the file (#2, #3, #4)" in told
    assert told.count("Taken as:") == 1


def test_what_two_runs_show_alike_is_told_once(nine: Path) -> None:
    told = run("read", nine).output
    assert told.count("A number is not finite") == 1
    assert "train.log #5 (told here); likewise #8" in told
    forms = {form: nine.parent / f"out.{form}" for form in ("html", "md", "sarif")}
    options = [x for form, path in forms.items() for x in (f"--{form}", path)]
    assert run("read", nine, "--quiet", "--lang", "ja", *options).exit_code == 0
    html = forms["html"].read_text(encoding="utf-8")
    assert "train.log には 9 個の実行が続けて入っています" in html
    assert html.count('class="finding critical"') == 1
    assert "「参考」を超える所見: #5 (致命的)、#8 (致命的)。" in forms["md"].read_text("utf-8")
    results = json.loads(forms["sarif"].read_text())["runs"][0]["results"]
    assert [r["properties"]["subject"] for r in results] == [1, 4]


def test_healthy_runs_of_a_long_sweep_are_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "sweep.log"
    sick = rows(40, 99)[:20] + broken(40)[20:]
    path.write_text("".join([*(line for seed in range(12) for line in rows(40, seed)), *sick]))
    told = run("read", path).output
    assert "sweep.log holds 13 runs" in told
    assert re.search(r"sweep.log #2  healthy\n40 rows [^\n]*\n\nsweep.log #3", told)
    assert re.search(r"sweep.log #13  sick\n40 rows [^\n]*\nloss falls from", told)


def test_short_runs_beside_one_are_a_line(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join([*rows(2, 1), *rows(3, 2), *rows(60, 3)]))
    (subject,) = document(path)["subjects"]
    assert (subject["name"], subject["rows"], subject["run"]) == ("train.log", 60, 3)
    assert "Ended after a few losses, too few to judge: 2 runs of the file (#1, #2)." in " ".join(
        run("read", path).output.split()
    )


def test_a_short_run_is_judged_where_something_grave_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join([*rows(60, 1), *broken(5)]))
    assert [s["verdict"] for s in document(path)["subjects"]] == ["healthy", "sick"]


def test_what_was_lost_of_the_file_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    parts = [f"{10 * i},{v:.4f}\n" for seed in (1, 2) for i, v in enumerate(falling(40, seed))]
    path.write_text("".join(["step,loss\n", *parts[:40], "step,loss\n", *parts[40:]]))
    first, second = document(path)["subjects"]
    assert "lost" in first
    assert "lost" not in second


def test_steps_of_an_epoch_are_told(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join(f"step {10 * (i % 20)} loss {v:.4f}\n"
                            for i, v in enumerate(falling(100, 1))))  # fmt: skip
    (subject,) = document(path)["subjects"]
    assert (subject["passes"], subject["last_step"]) == (4, 990)
    assert "begins anew 4 times and the loss goes on" in " ".join(run("read", path).output.split())


def test_the_runs_of_one_file_are_compared(nine: Path) -> None:
    held = nine.parent / "out.json"
    assert run("compare", nine, "--json", held).exit_code == 0
    names = [s["name"] for s in json.loads(held.read_text())["subjects"]]
    assert names == [f"train.log #{n}" for n in (1, 5, 6, 7, 8, 9)]


def test_one_run_and_short_ones_are_no_comparison(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join([*rows(2, 1), *rows(60, 3)]))
    result = run("compare", path)
    assert result.exit_code == 2
    assert "1 runs were found; a comparison takes from two" in result.output.replace("\n", " ")
