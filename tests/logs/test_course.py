"""``shindan read``: the course of the losses, and what is asked of their future."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from shindan.cli.main import main
from shindan.cli.tokens import lines_of
from shindan.core.errors import ShindanError
from shindan.core.evidence.phases import Course, Window
from shindan.core.text import LANGUAGES
from shindan.diagnose.logs import examine
from shindan.logs.course import Wanted
from shindan.reference.data.tokenizers import train_words

from .curves import FIGURES, Array, noise, steps

REPORT_4 = FIGURES / "report4_advanced.csv"


def until(epoch: int, folder: Path) -> Path:
    """Report 4's table as it stood after that epoch."""
    lines = REPORT_4.read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(row for row in lines[1:] if int(row.split(",")[0]) <= epoch)]
    path = folder / "so_far.csv"
    path.write_text("\n".join(kept) + "\n")
    return path


def test_report_4_forecast_from_epoch_30(tmp_path: Path) -> None:
    read = examine([until(30, tmp_path)], {}, Wanted(further=20))
    course = read.evidence[0][Course]
    assert isinstance(course, Course)
    train, validation = course.forecasts
    assert train.low < 3.596 < train.high
    assert validation.low < 3.60 < validation.high
    told = {said.key for said in read.document.subjects[0].course if not isinstance(said, str)}
    assert {"course-forecast", "course-way-out"} <= told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_door_tells_it(lang: str, tmp_path: Path) -> None:
    out = tmp_path / "read.json"
    asked = ["--forecast", "20", "--reach", "3.5", "--unigram", "4.2", "--vocab", "1000"]
    args = ["read", str(REPORT_4), *asked, "--lang", lang, "--json", str(out)]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    subject: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["subjects"][0]
    assert subject["train_loss phase 3"][0] == "falling"
    at, value, low, high, origins, _ = subject["train_loss forecast"]
    assert at == 70
    assert low < value < high
    assert origins >= 5
    assert any("4.2" in said for said in subject["course"])


@pytest.mark.parametrize("bad", [["--forecast", "-1"], ["--vocab", "1"], ["--reach", "x"]])
def test_what_cannot_be_asked(bad: list[str]) -> None:
    assert CliRunner().invoke(main, ["read", str(REPORT_4), *bad]).exit_code == 2


def written(path: Path, values: Array) -> Path:
    rows = (f"{i},{v:.5f}" for i, v in enumerate(values, 1))
    path.write_text("step,loss\n" + "\n".join(rows) + "\n")
    return path


def test_a_window_that_cannot_decide(tmp_path: Path) -> None:
    """One of twenty such windows goes somewhere by chance."""
    undecided = 0
    for seed in range(10):
        log = written(tmp_path / f"short_{seed}.csv", 9 + noise(60, 0.3, 0.25, seed))
        read = examine([log], {})
        window = read.evidence[0][Window]
        assert isinstance(window, Window)
        said = [f.id for f in read.document.findings]
        undecided += said == ["comparison/cannot-decide"]
        assert read.document.verdict == ("inconclusive" if said else "healthy")
        assert window.decides or window.needed > 0
    assert undecided >= 8


def test_a_log_at_ln_v(tmp_path: Path) -> None:
    log = written(tmp_path / "stuck.csv", math.log(32000) + noise(400, 0.0, 0.02, 0))
    found = {f.id: f.severity for f in examine([log], {}, Wanted((32000,))).document.findings}
    assert found["symptom/at-uniform-line"] == "major"
    found = {f.id: f.severity for f in examine([log], {}).document.findings}
    assert found["symptom/at-uniform-line"] == "info"


def test_a_log_at_the_unigram_line(tmp_path: Path) -> None:
    curve = 7.3 + 3.5 * np.exp(-steps(3000) / 60) + noise(3000, 0.0, 0.03, 0)
    log = written(tmp_path / "commas.csv", curve)
    found = {f.id: f.severity for f in examine([log], {}, Wanted(unigram=7.3)).document.findings}
    assert found["symptom/at-unigram-line"] == "major"
    found = {f.id: f.severity for f in examine([log], {}).document.findings}
    assert "symptom/at-unigram-line" not in found


def test_the_unigram_line_of_a_text(tmp_path: Path) -> None:
    curve = 7.3 + 3.5 * np.exp(-steps(3000) / 60) + noise(3000, 0.0, 0.03, 0)
    log, counts, out = (tmp_path / name for name in ("commas.csv", "counts.json", "read.json"))
    written(log, curve)
    counts.write_text(json.dumps([100] * 1480 + [0] * 30000))  # 1,480 equal ones: ln 1480 = 7.3
    args = ["read", str(log), "--data", str(counts), "--json", str(out), "--quiet"]
    assert CliRunner().invoke(main, args).exit_code == 0
    found = {f["id"]: f for f in json.loads(out.read_text(encoding="utf-8"))["findings"]}
    assert found["symptom/at-unigram-line"]["measured"]["unigram"] == pytest.approx(7.3, abs=0.01)


def test_text_with_a_tokenizer(tmp_path: Path) -> None:
    text, words = tmp_path / "text.txt", tmp_path / "tokenizer"
    text.write_text("a b a c\n" * 500)
    train_words(["a b a c"], 3).save(str(words.with_suffix(".json")))
    size, entropy = lines_of(text, words.with_suffix(".json"), None)
    assert size >= 3
    assert entropy == pytest.approx(1.04, abs=0.01)  # 1/2, 1/4, 1/4
    with pytest.raises(ShindanError):
        lines_of(text, None, None)
    text.with_suffix(".json").write_text("[1, -2]")
    with pytest.raises(ShindanError):
        lines_of(text.with_suffix(".json"), None, None)
