"""Comparisons: the model questions of reports 4 and 0, pairs that differ, pairs that do not."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from shindan.cli.main import main
from shindan.core.check import Check, Pairing
from shindan.core.errors import ShindanError
from shindan.core.evidence.axes import Axis
from shindan.core.evidence.pairs import Facts, Side
from shindan.core.registry import checks
from shindan.core.text import LANGUAGES
from shindan.diagnose.compare import Compared, compare
from shindan.logs.meeting import meetings
from shindan.logs.sides import Run
from shindan.report import jsondoc

from .curves import FIGURES, Array
from .worlds import made as world

PAIRINGS = [(c, p) for c in checks() for p in c.pairings]


def logged(name: str) -> Path:
    return next(p for p in FIGURES.iterdir() if p.stem == name and p.suffix != ".yaml")


def of(*names: str, said: tuple[str, ...] = ()) -> Compared:
    return compare([logged(name) for name in names], said)


def ids(made: Compared) -> dict[str, str]:
    return {f.id: f.severity for f in made.document.findings}


@pytest.mark.parametrize(("check", "pairing"), PAIRINGS, ids=lambda x: getattr(x, "id", ""))
def test_the_fault_is_found(check: Check, pairing: Pairing) -> None:
    made = of(pairing.a, pairing.b, said=pairing.said)
    assert check.id in ids(made)
    assert made.document.failed == ()


def test_report_4_the_bigger_model_is_not_worse() -> None:
    made = of("report4_baseline", "report4_advanced")
    assert made.document.verdict == "sick"
    assert ids(made) == {"comparison/unequal-budget": "major", "comparison/lr-not-retuned": "major"}
    (pair,) = made.comparison.pairs
    met = pair.meeting("updates")
    assert met is not None
    assert (met.at_a, met.at_b) == (4785, 5000)
    assert math.exp(met.a) == pytest.approx(42.09)
    assert met.b == 3.60
    assert met.b < met.a
    assert pair.ends is not None
    assert math.exp(pair.ends.a) == pytest.approx(23.34)
    budget = next(f for f in made.document.findings if f.id == "comparison/unequal-budget")
    assert budget.subject == 1
    assert budget.measured["axis"] == "updates"
    assert budget.measured["stands"] == ("tokens", "epochs", "flops")
    assert budget.measured["rerun"] == "batch_size=32 max_updates=43065"
    rate = next(f for f in made.document.findings if f.id == "comparison/lr-not-retuned")
    assert rate.measured["times"] == 16
    assert rate.measured["wanted"] == pytest.approx(4e-4)


def test_report_4_will_it_pass_the_other_run() -> None:
    told = of("report4_baseline", "report4_advanced").document.subjects[1].course
    assert [said.key for said in told if not isinstance(said, str)] == ["course-may-reach"]


def test_report_0_a_lower_loss_and_a_worse_model() -> None:
    made = of("report0_own", "report0_hf")
    assert ids(made) == {"comparison/losses-differ-in-definition": "major"}
    (found,) = made.document.findings
    assert found.variant == "turned"
    measured = found.measured
    assert (measured["quoted_a"], measured["over_a"]) == (4.918, "epoch")
    assert (measured["quoted_b"], measured["over_b"]) == (5.758, "run")
    assert (measured["read_a"], measured["read_b"]) == (4.918, 4.75)
    own, hf = made.comparison.sides
    assert own.read("run", "training") == pytest.approx(5.806, abs=0.001)
    assert hf.read("run", "training") == 5.758


def test_report_0_with_nothing_but_the_mean_of_the_run(tmp_path: Path) -> None:
    """As a console shows it: {'train_runtime': ..., 'train_loss': 5.758, 'epoch': 3.0}."""
    state = {"epoch": 3.0, "global_step": 18750, "max_steps": 18750}
    last = {"epoch": 3.0, "step": 18750, "train_loss": 5.758}
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({**state, "log_history": [last]}, indent=1))
    found = compare([logged("report0_own"), path]).document.findings
    (said,) = (f for f in found if f.id == "comparison/losses-differ-in-definition")
    assert said.measured["over_b"] == "run"
    # the own log has epochs, so its mean over the run can be held against it: 5.806
    assert said.measured["read_as"] == "run"
    assert said.measured["read_a"] == pytest.approx(5.806, abs=0.001)


def test_facts_are_taken_by_the_names_settings_have() -> None:
    said = ("A:lr=1e-4,n_params=2739432", "B:lr=1e-4,batch-size=512", "A:batch_size=32")
    made = of("seed_1", "seed_2", said=said)
    facts = made.comparison.sides[0].facts
    assert (facts.rate, facts.parameters, facts.batch) == (1e-4, 2739432, 32)
    assert ids(made)["comparison/lr-not-retuned"] in ("major", "info")


def recorded(folder: Path, seed: int, updates: int, **settings: float | str) -> Path:
    """A run of ours: metrics, training and validation in one column, and its settings."""
    rng, place = np.random.default_rng(seed), folder / f"run-{seed}-{updates}"
    place.mkdir()
    rows = []
    for i in range(10, updates + 1, 10):
        loss = 2 + 6 * i**-0.4
        rows.append({"kind": "train", "update": i, "loss": loss + rng.normal(0, 0.05), "lr": 1e-3})
        if i % 100 == 0:
            rows.append({"kind": "validation", "update": i, "loss": loss + rng.normal(0, 0.01)})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "metrics.jsonl").write_text(text)
    held = {"recipe": "bert-mlm", "settings": {"seed": seed, "learning_rate": 1e-3, **settings}}
    (place / "settings.json").write_text(json.dumps(held))
    return place


def test_two_seeds_of_ours_are_not_accused(tmp_path: Path) -> None:
    made = compare([recorded(tmp_path, seed, 1000, batch_size=32) for seed in (1, 2)])
    assert not any(s != "info" for s in ids(made).values())
    (pair,) = made.comparison.pairs
    assert pair.of == "validation"


def test_the_fair_rerun_is_a_command(tmp_path: Path) -> None:
    runs = [recorded(tmp_path, 1, 4000, batch_size=32), recorded(tmp_path, 2, 500, batch_size=256)]
    made = compare(runs)
    assert ids(made)["comparison/unequal-budget"] == "minor"
    wanted = "shindan train bert-mlm batch_size=32 max_updates=4000 seed=1"
    assert made.comparison.pairs[0].rerun == wanted


def test_where_one_schedule_ended_and_the_other_did_not() -> None:
    steps = np.arange(10.0, 2001, 10)
    loss = 2 + 6 * steps**-0.4
    side = Side("run", Facts())
    at: dict[Axis, Array] = {"updates": steps}
    long = Run(side, {"training": loss}, at, 1e-3 * (1 - steps / 2000))
    short = Run(
        side, {"training": loss[:100]}, {"updates": steps[:100]}, 1e-3 * (1 - steps[:100] / 1000)
    )
    (met,) = meetings(long, short, "training")
    assert met.rate_a == pytest.approx(0.5, abs=0.02)
    assert met.rate_b == pytest.approx(0.0, abs=0.02)
    assert met.schedules_differ


def test_a_decay_that_ended_accuses_nobody(tmp_path: Path) -> None:
    """Two runs of one kind, a long and a short one, each with its decay: nothing is wrong."""
    paths = []
    for updates, seed in ((8000, 0), (4000, 1)):
        run = world("x", updates, seed=seed, decay=0.2)
        assert run.rates is not None
        rows = zip(run.at["updates"], run.curves["training"], run.rates, strict=True)
        path = tmp_path / f"{updates}.csv"
        text = "".join(f"{x:.0f},{y:.5f},{lr:.8g}\n" for x, y, lr in rows)
        path.write_text(f"step,loss,lr\n{text}")
        paths.append(path)
    for pair in (paths, paths[::-1]):
        made = compare(pair)
        assert ids(made) == {"comparison/unequal-budget": "minor"}
        (found,) = made.document.findings
        assert found.variant == "decayed"


def test_two_seeds_are_not_accused() -> None:
    made = of("seed_1", "seed_2")
    assert ids(made) == {"comparison/cannot-decide": "info"}
    assert made.document.verdict == "inconclusive"


def test_a_run_is_like_itself() -> None:
    made = of("report4_advanced", "report4_advanced")
    assert not any(s in ("critical", "major", "minor") for s in ids(made).values())
    assert len({side.name for side in made.comparison.sides}) == 2


def test_what_counts_in_the_loss_is_said_by_a_person() -> None:
    made = of("seed_1", "seed_2", said=("A:positions=masked", "B:positions=all"))
    assert ids(made)["comparison/losses-differ-in-definition"] == "major"


def test_other_tokens_are_refused_or_converted() -> None:
    sizes = ("A:vocab_size=32000", "B:vocab_size=128256")
    made = of("seed_1", "seed_2", said=sizes)
    assert ids(made) == {"comparison/different-tokenizers": "major"}
    assert made.comparison.pairs[0].meetings == ()
    known = ("A:bytes_per_token=4.0", "B:bytes_per_token=4.4")
    made = of("seed_1", "seed_2", said=(*sizes, *known))
    assert ids(made) == {"comparison/different-tokenizers": "info"}
    (pair,) = made.comparison.pairs
    assert pair.ends is not None
    assert pair.ends.a == pytest.approx(2.9749 / math.log(2) / 4.0, abs=1e-3)


def test_several_runs_are_held_against_the_first() -> None:
    made = of("seed_1", "seed_2", "report4_advanced")
    assert len(made.comparison.pairs) == 2
    assert [s.name for s in made.document.subjects] == [s.name for s in made.comparison.sides]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("batch_size=3", "fact-not-given"),
        ("A:batch_size", "fact-not-given"),
        ("C:batch_size=3", "no-run-to-set"),
        ("A:bach_size=3", "no-fact-but"),
        ("A:zzzzzz=3", "no-fact"),
        ("A:batch_size=big", "fact-no-number"),
        ("A:batch_size=-1", "fact-no-number"),
        ("A:batch_size=nan", "fact-no-number"),
        ("A:positions=some", "fact-no-choice"),
    ],
)
def test_facts_that_cannot_be_taken(said: str, key: str) -> None:
    with pytest.raises(ShindanError) as refused:
        of("seed_1", "seed_2", said=(said,))
    assert refused.value.reason.key == key


def test_a_run_without_a_loss_is_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "acc.csv"
    log.write_text("step,acc\n" + "".join(f"{i},{i / 9}\n" for i in range(9)))
    done = CliRunner().invoke(main, ["compare", str(log), str(logged("seed_1"))])
    assert done.exit_code == 2
    assert "acc.csv has no loss" in done.output
    done = CliRunner().invoke(main, ["compare", str(log), str(logged("seed_1")), "--loss", "acc"])
    assert done.exit_code == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_door(lang: str, tmp_path: Path) -> None:
    logs = [str(logged(name)) for name in ("report4_baseline", "report4_advanced")]
    files = {form: tmp_path / f"c.{form}" for form in ("json", "html", "md", "sarif")}
    options = [part for form, path in files.items() for part in (f"--{form}", str(path))]
    done = CliRunner().invoke(main, ["compare", *logs, "--lang", lang, *options])
    assert done.exit_code == 0, done.output
    document = json.loads(files["json"].read_text(encoding="utf-8"))
    assert document["verdict"] == "sick"
    import jsonschema

    jsonschema.validate(document, jsondoc.schema())
    page = files["html"].read_text(encoding="utf-8")
    assert "<svg" in page
    assert "43,065" in page
    assert "| A: report4_baseline.csv |" in files["md"].read_text(encoding="utf-8")


def test_the_verdict_is_of_the_comparison_not_of_a_run() -> None:
    same = CliRunner().invoke(main, ["compare", *[str(logged(f"seed_{i}")) for i in (1, 2)]])
    assert "Undecided: these numbers cannot tell the runs apart" in same.output
    logs = [str(logged(name)) for name in ("report4_baseline", "report4_advanced")]
    unequal = CliRunner().invoke(main, ["compare", *logs])
    assert "Not a fair comparison as it stands" in unequal.output


def test_epochs_that_only_some_rows_count(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": 3 + 1 / (i + 1)} for i in range(60)]
    rows += [{"step": 20 * i, "train_loss": 3.1, "val_loss": 3.1, "epoch": i} for i in (3, 4, 5)]
    for name in "ab":
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)
    assert not compare([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]).document.failed


@pytest.mark.parametrize("args", [["one"], ["--bogus"], []])
def test_bad_usage_is_one_sentence(args: list[str]) -> None:
    given = [str(logged("seed_1")) if a == "one" else a for a in args]
    done = CliRunner().invoke(main, ["compare", *given])
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_fail_on() -> None:
    logs = [str(logged(name)) for name in ("report0_own", "report0_hf")]
    done = CliRunner().invoke(main, ["compare", *logs, "--fail-on", "major", "--quiet"])
    assert done.exit_code == 3
