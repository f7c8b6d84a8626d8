"""``shindan read``: its files, its exit statuses, its errors."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from shindan.cli.main import main
from shindan.report.jsondoc import schema
from tests.logs.healthy import MAKERS, rewritten, write
from tests.logs.test_faults import FAULTS

NAN = next(f for c, f in FAULTS if c.id == "symptom/nan")


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    return write("nanogpt", rewritten(MAKERS["nanogpt"](), NAN), tmp_path)


def run(*args: object) -> Result:
    return CliRunner(env={"SHINDAN_LANG": "en"}).invoke(main, ["read", *map(str, args)])


@pytest.mark.parametrize(
    ("options", "status"),
    [((), 0), (("--fail-on", "critical"), 3), (("--fail-on", "minor", "--quiet"), 3)],
)
def test_exit_status(sick: Path, options: tuple[str, ...], status: int) -> None:
    result = run(sick, *options)
    assert result.exit_code == status
    assert bool(result.output) is ("--quiet" not in options)


def test_a_healthy_log_does_not_fail(tmp_path: Path) -> None:
    path = write("hf_trainer", MAKERS["hf_trainer"](), tmp_path)
    assert run(path, "--fail-on", "info").exit_code == 0


def test_every_form_in_both_languages(sick: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    other = write("hf_trainer", MAKERS["hf_trainer"](), tmp_path / "two")
    for language, verdict in (("en", "sick"), ("ja", "異常あり")):
        forms = {f: tmp_path / f"{language}.{f}" for f in ("json", "html", "md", "sarif")}
        options = [x for f, path in forms.items() for x in (f"--{f}", path)]
        result = run(sick, other, "--lang", language, *options)
        assert result.exit_code == 0
        assert verdict in result.output
        held = json.loads(forms["json"].read_text(encoding="utf-8"))
        assert list(Draft202012Validator(schema()).iter_errors(held)) == []
        assert [(s["kind"], s["verdict"]) for s in held["subjects"]] == [
            ("log", "sick"),
            ("log", "healthy"),
        ]
        assert {f["subject"] for f in held["findings"]} == {0}
        assert {n["subject"] for n in held["not_run"]} <= {0, 1}
        html = forms["html"].read_text(encoding="utf-8")
        assert html.count('<svg class="plot"') == 4  # two losses, a rate, a norm
        assert "train.log" in forms["md"].read_text(encoding="utf-8")
        where = json.loads(forms["sarif"].read_text())["runs"][0]["results"][0]["locations"][0]
        assert where["physicalLocation"]["region"]["startLine"] == 61


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["gone.csv"], "there is no file or folder gone.csv"),
        (["train.log", "--loss", "los"], "no log has a column 'los'; did you mean 'loss'?"),
        (["train.log", "--role", "loss"], "'loss' gives no role"),
        (["train.log", "--role", "los=loss"], "there is no role 'los'"),
        (["train.log", "--json", "train.log/x.json"], "cannot be written"),
    ],
)
def test_bad_usage_is_one_sentence(
    args: list[str], sentence: str, sick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sick.parent)
    result = run(*args)
    assert result.exit_code == 2
    assert sentence in result.output.replace("\n", " ")


def test_roles_are_set(sick: Path, tmp_path: Path) -> None:
    held = tmp_path / "out.json"
    assert run(sick, "--loss", "time", "--json", held, "--quiet").exit_code == 0
    (subject,) = json.loads(held.read_text())["subjects"]
    assert "loss = time" in subject["roles"]
