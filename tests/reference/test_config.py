"""Settings: typed, every value with its source, what is wrong in one sentence."""

import json
from pathlib import Path

import pytest

from shindan.reference.recipes import NAMES, load
from shindan.reference.train.config import ALIASES, Settings, total_updates
from shindan.reference.train.errors import SENTENCES, TrainError
from shindan.reference.train.resolve import (
    Resolved,
    from_file,
    from_words,
    known_keys,
    same_run,
    save,
)
from shindan.reference.train.resolve import load as saved


def resolved(*words: str, size: str = "tiny", file: Path | None = None) -> Resolved[Settings]:
    in_file = from_file(file) if file else []
    return load("bert-mlm").resolve(size, in_file, from_words(["output_dir=run", *words]))


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("per_device_train_batch_size=7", "batch_size", 7),
        ("gradient_accumulation_steps=4", "accumulation", 4),
        ("max_grad_norm=0.5", "clip", 0.5),
        ("lr_scheduler_type=constant_with_warmup", "schedule", "constant"),
        ("label_smoothing_factor=0.1", "label_smoothing", 0.1),
        ("bf16=true", "precision", "bf16"),
        ("bf16=False", "precision", "fp32"),
        ("tf32=true", "precision", "tf32"),
        ("optim=adamw_torch_fused", "optimizer", "adamw"),
        ("adam_beta1=0.8", "beta1", 0.8),
        ("warmup_steps=10", "warmup_updates", 10),
        ("eval_steps=none", "evaluate_every", None),
    ],
)
def test_names_of_training_arguments(word: str, key: str, value: object) -> None:
    found = resolved(word)
    assert getattr(found.settings, key) == value
    assert found.sources[key] == "command line"


def test_every_alias_is_a_key_and_no_key() -> None:
    keys = known_keys(Settings)
    assert set(ALIASES.values()) <= set(keys)
    assert not set(ALIASES) & set(keys)


def test_sources_weakest_first(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("learning_rate: 1e-3\nbatch_size: 4\nmodel:\n  layers: 3\n")
    found = resolved("batch_size=5", file=file)
    assert found.settings.learning_rate == 1e-3  # YAML reads 1e-3 as text
    assert found.sources["learning_rate"] == f"{file}:1"
    assert found.sources["model.layers"] == f"{file}:4"
    assert found.sources["batch_size"] == "command line"
    assert found.sources["model.hidden"] == "size tiny"
    assert found.sources["warmup_share"] == "recipe"
    assert found.sources["seed"] == "default"
    assert found.settings.batch_size == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["max_update=3"], "there is no setting max_update (command line); did you mean max_upd"),
        (["layers=3"], "did you mean model.layers?"),
        (["model.vocab_size=9"], "there is no setting model.vocab_size"),
        (["zzz=1"], "there is no setting zzz (command line); there are output_dir, resume"),
        (["batch_size=0"], "batch_size cannot be 0 (command line); it takes int >= 1"),
        (["batch_size=two"], "batch_size cannot be two (command line); it takes int >= 1"),
        (["ema=1"], "it takes float > 0 and < 1 | none"),
        (["schedule=lin"], "it takes constant | linear | cosine"),
        (["compile=maybe"], "it takes true | false"),
        (["model.norm=mid"], "model.norm cannot be mid (command line); it takes post | pre"),
        (["model.heads=5"], "hidden 64 is not a multiple of heads 5"),
        (["batch_size=3", "per_device_train_batch_size=3"], "batch_size is given twice"),
        (["batch_size"], "'batch_size' is no setting; write key=value"),
    ],
)
def test_bad_settings_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(TrainError) as error:
        resolved(*words)
    assert sentence in error.value.told("en")
    assert error.value.told("ja") != error.value.told("en")


def test_bad_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("seed: 1\nmodel:\n  layerz: 2\n")
    with pytest.raises(TrainError, match=r"c\.yaml:3\); did you mean model\.layers"):
        resolved(file=file)
    file.write_text("- 1\n")
    with pytest.raises(TrainError, match="no mapping"):
        resolved(file=file)
    with pytest.raises(TrainError, match="no-such"):
        resolved(file=tmp_path / "no-such.yaml")


def test_the_length_said_with_more_weight_wins() -> None:
    assert resolved().settings.max_updates == 600
    by_epochs = resolved("num_train_epochs=2", "gradient_accumulation_steps=2").settings
    assert by_epochs.max_updates is None
    assert total_updates(by_epochs, rows=640, world=1) == 40
    assert total_updates(by_epochs, rows=640, world=2) == 20
    assert resolved("epochs=2", "max_updates=5").settings.max_updates == 5


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_and_size_resolves(name: str) -> None:
    recipe = load(name)
    assert next(iter(recipe.sizes)) == "tiny"
    for size in recipe.sizes:
        recipe.resolve(size, from_words(["output_dir=run"]))
    assert set(recipe.expected) <= set(recipe.sizes)
    assert recipe.name == name


def test_kept_with_sources_and_versions_and_not_resumed_as_another(tmp_path: Path) -> None:
    first = resolved("seed=3")
    save(first, tmp_path)
    kept = saved(tmp_path)
    assert kept["settings"]["model.layers"] == 2
    assert kept["sources"]["seed"] == "command line"
    assert {"python", "shindan", "torch", "numpy"} <= kept["versions"].keys()
    assert {"git", "command"} <= kept.keys()
    same_run(resolved("seed=3", "log_every=2", "resume=true"), tmp_path)
    with pytest.raises(TrainError, match="began with seed 3, and is now to go on with 4"):
        same_run(resolved("seed=4", "resume=true"), tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps(kept | {"recipe": "causal-mix"}))
    with pytest.raises(TrainError, match="began with recipe causal-mix"):
        same_run(resolved("seed=3"), tmp_path)


def test_sentences_in_both_languages_take_the_same_values() -> None:
    import string

    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, (english, japanese) in SENTENCES.items():
        assert fields(english) == fields(japanese), key
        assert not english.endswith(".")
        assert not japanese.endswith("。")
