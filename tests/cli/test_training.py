"""The doors of the reference systems: train, recipes, predict, generate."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shindan.cli.main import main
from shindan.cli.training import words
from shindan.reference.recipes import NAMES

QUICK = ("max_updates=3", "plot=false")


def shindan(*arguments: str, **env: str) -> Result:
    runner = CliRunner(env={"LC_ALL": None, "LANG": None, "SHINDAN_LANG": None, **env})
    return runner.invoke(main, arguments)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short run of a masked and of a causal model."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("bert-mlm", "causal-mix"):
        told = shindan("train", name, *QUICK, f"output_dir={folder / name}", "--quiet")
        assert told.exit_code == 0, told.output
        assert told.output == ""
    return folder


def test_both_languages_have_the_same_words() -> None:
    assert words("en").keys() == words("ja").keys()


def test_recipes_are_listed_in_both_languages() -> None:
    for lang in ("en", "ja"):
        told = shindan("recipes", "--lang", lang, COLUMNS="200")
        assert told.exit_code == 0
        assert all(name in told.output for name in NAMES)
        assert words(lang)["about"] in told.output


def test_train_writes_a_run_with_a_name_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("max_steps: 4\nsave_steps: 2\nplot: false\n")
    told = shindan("train", "context-vector", "config=c.yaml", "--lang", "ja")
    assert told.exit_code == 0, told.output
    assert "4 回更新後の検証結果：損失" in told.stdout
    assert "更新 0：損失" in told.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("context-vector-2")
    kept = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    assert kept["sources"]["max_updates"] == "c.yaml:1"
    assert {"model.pt", "checkpoint.pt", "metrics.jsonl", "tokenizer.json"} <= {
        file.name for file in run.iterdir()
    }
    again = ("train", "context-vector", "config=c.yaml", f"output_dir={run}")
    assert "holds a run already; go on with resume=true" in shindan(*again).output
    assert shindan(*again, "resume=true").exit_code == 0
    refused = shindan(*again, "resume=true", "seed=1")
    assert refused.exit_code == 2
    assert "the run began with seed 0" in refused.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "bert-ml"], "there is no recipe bert-ml; did you mean bert-mlm?"),
        (["train", "x", "--lang", "ja"], "x というレシピはありません"),
        (["train", "bert-mlm", "size=huge"], "no size huge; it has tiny, small, base"),
        (["train", "bert-mlm", "max_update=3"], "did you mean max_updates?"),
        (["train", "bert-mlm", "length=999"], "length=999, but the model has only"),
        (["train", "bert-mlm", "data=gone.txt"], "there is no file or folder gone.txt"),
        (["train", "bert-mlm", "data=gone.txt", "--lang", "ja"], "ファイルもフォルダもありません"),
        (["train", "bert-mlm", "device=cuda"], "no GPU can be used here"),
        (["predict", "gone", "a [MASK]"], "there is no run at gone"),
        (["predict", "--lang", "ja", "gone", "a [MASK]"], "gone に学習結果がありません"),
    ],
)
def test_what_can_be_mended_is_told_in_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = shindan(*arguments)
    assert told.exit_code == 2
    assert sentence in told.output


def test_what_a_run_that_never_began_left_is_not_taken_for_its_data(tmp_path: Path) -> None:
    for name in ("first", "second"):
        lines = (f"{name} line {n} of words that stand here\n\n" for n in range(200))
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    said = ("train", "bert-mlm", *QUICK, f"output_dir={tmp_path / 'run'}")
    failed = shindan(*said, f"data={tmp_path / 'first.txt'}", "length=999")
    assert failed.exit_code == 2
    (tmp_path / "run" / "tokenizer.json").write_text("of the first")
    (tmp_path / "run" / "train.tokens").write_bytes(b"of the first")
    assert shindan(*said, f"data={tmp_path / 'second.txt'}").exit_code == 0
    assert "second" in (tmp_path / "run" / "tokenizer.json").read_text(encoding="utf-8")


def test_predict_tells_ranks_and_logits_of_two_runs(runs: Path) -> None:
    run, text = str(runs / "bert-mlm"), "the [MASK] statement is [MASK]."
    told = shindan("predict", run, run, text, "--top", "3", "--word", "the", COLUMNS="200")
    assert told.exit_code == 0, told.output
    assert "[MASK] 2" in told.output
    assert told.output.count("logit") == 4
    rows = [line.split() for line in told.output.splitlines() if line.split()[:1] == ["1"]]
    assert len(rows) == 2
    assert rows[0][1:4] == rows[0][4:7]  # the same run twice says the same
    one = shindan("predict", run, text, "--lang", "ja")
    assert "ロジット" in one.output


def test_predict_and_generate_refuse_what_they_cannot_do(runs: Path) -> None:
    masked, causal = str(runs / "bert-mlm"), str(runs / "causal-mix")
    for arguments, sentence in (
        (("predict", causal, "a [MASK]"), "which cannot be asked this"),
        (("generate", masked, "a"), "which cannot be asked this"),
        (("predict", masked, "no mask"), "the text has no [MASK]"),
        (("predict", masked, "[MASK] " * 200), "the model takes 128"),
        (("predict", masked, "a [MASK]", "--word", "zzyzx qq"), "is not one token"),
    ):
        told = shindan(*arguments)
        assert told.exit_code == 2
        assert sentence in told.output


def test_generate_goes_on_from_the_prompt_and_a_seed_says_how(runs: Path) -> None:
    run = str(runs / "causal-mix")
    first = shindan("generate", run, "The value", "--tokens", "8", "--seed", "1").output
    again = shindan("generate", run, "The value", "--tokens", "8", "--seed", "1").output
    assert first == again
    assert first.startswith("The value")
    greedy = shindan("generate", run, "The value", "--tokens", "4", "--temperature", "0")
    assert greedy.exit_code == 0
