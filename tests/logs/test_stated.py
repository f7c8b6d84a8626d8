"""A number without a log is a side of a comparison."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from shindan.cli.main import main
from shindan.core.errors import ShindanError
from shindan.core.text import LANGUAGES
from shindan.diagnose.compare import Compared, compare
from shindan.logs.stated import is_stated, stated

from .test_compare import ids, logged

PAPER = "val_loss=3.28,updates=19560,tokens=10e9,params=124e6,tokenizer=gpt2"


def against(text: str, *said: str) -> Compared:
    return compare([logged("report4_advanced"), Path(text)], said)


def test_what_was_said_is_taken() -> None:
    run = stated(Path(PAPER), {})
    facts = run.side.facts
    assert (facts.parameters, facts.tokenizer) == (124e6, "gpt2")
    assert dict(facts.spent) == {
        "updates": 19560, "tokens": 1e10, "flops": pytest.approx(6 * 124e6 * 1e10),
    }  # fmt: skip
    assert run.side.quoted is not None
    assert (run.side.quoted.value, run.side.quoted.of) == (3.28, "validation")
    assert run.error == pytest.approx(0.01 / math.sqrt(12))
    assert run.side.name == "val_loss=3.28"


@pytest.mark.parametrize(
    ("text", "nats", "of"),
    [
        ("loss=3.28", 3.28, "training"),
        ("val_ppl=20.1", math.log(20.1), "validation"),
        ("eval_loss=1.2,unit=bits", 1.2 * math.log(2), "validation"),
        ("perplexity=36.45,name=paper", math.log(36.45), "training"),
    ],
)
def test_losses_by_name(text: str, nats: float, of: str) -> None:
    quoted = stated(Path(text), {}).side.quoted
    assert quoted is not None
    assert quoted.value == pytest.approx(nats)
    assert quoted.of == of


def test_at_its_budget_it_meets_the_log() -> None:
    made = against("val_ppl=20.1,updates=3750,parameters=2.7e6")
    (pair,) = made.comparison.pairs
    met = pair.meeting("updates")
    assert met is not None
    assert met.b == pytest.approx(math.log(20.1))
    assert not any(s in ("critical", "major") for s in ids(made).values())
    assert pair.gap is not None
    assert pair.gap.part("size") is None  # of another script nothing is left to one cause
    assert sum(p.value for p in pair.gap.parts) == pytest.approx(pair.gap.total)


def test_beyond_the_log_they_do_not_meet() -> None:
    made = against("val_ppl=20.1,updates=50000")
    assert made.comparison.pairs[0].meetings == ()


def test_training_is_not_held_against_validation(tmp_path: Path) -> None:
    log = tmp_path / "t.csv"
    log.write_text("step,loss\n" + "".join(f"{i},{5 - i / 100}\n" for i in range(1, 100)))
    made = compare([log, Path("val_loss=4.1,updates=99")])
    assert ids(made) == {"comparison/losses-differ-in-definition": "major"}


def test_other_tokens_are_refused() -> None:
    made = against("val_loss=3.0,updates=5000,vocab_size=50257")
    assert ids(made)["comparison/different-tokenizers"] == "major"


def test_a_file_of_facts(tmp_path: Path) -> None:
    path = tmp_path / "paper.yaml"
    path.write_text("name: their paper\nval_loss: 3.28\nupdates: 4000\nparams: 124e6\n")
    made = compare([logged("report4_advanced"), path], ("B:batch_size=64",))
    side = made.comparison.sides[1]
    assert side.name == "their paper"
    assert (side.facts.batch, side.facts.parameters) == (64, 124e6)


def test_what_is_no_statement(tmp_path: Path) -> None:
    beside = tmp_path / "config.yaml"
    beside.write_text("lr: 1e-3\n")
    assert not is_stated(beside)
    assert not is_stated(Path("runs/lr=3e-4/train.log"))
    assert not is_stated(Path("lr=3e-4,updates=3"))
    log = tmp_path / "loss=3.csv"
    log.write_text("step,loss\n1,2\n2,1\n")
    assert not is_stated(log)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("val_loss=low,updates=3", "fact-no-number"),
        ("val_loss=nan", "fact-no-number"),
        ("val_ppl=0", "fact-no-number"),
        ("val_loss=3.2,error=big", "fact-no-number"),
        ("val_loss=3.2,updates", "number-not-stated"),
        ("val_loss=3.2,upd=3", "no-fact-but"),
        ("loss=3.2,unit=miles", "fact-no-choice"),
    ],
)
def test_statements_that_cannot_be_taken(text: str, key: str) -> None:
    with pytest.raises(ShindanError) as refused:
        against(text)
    assert refused.value.reason.key == key


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_door_takes_it(lang: str, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    args = ["compare", str(logged("report4_advanced")), "val_ppl=20.1,updates=3750", "--lang", lang]
    done = CliRunner().invoke(main, [*args, "--json", str(out)])
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text(encoding="utf-8"))["subjects"][1]
    assert told["name"] == "val_ppl=20.1"
    assert told["gap_axis"] == "updates"
