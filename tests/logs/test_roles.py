"""Which column is taken for what."""

from collections.abc import Mapping, Sequence

import pytest

from shindan.core.errors import ShindanError
from shindan.logs.judged import judged, loss_of
from shindan.logs.roles import infer, refuse_unknown, setting

from .tables import table

RISING, FALLING = [1.0, 2.0, 3.0], [3.0, 2.5, 2.25]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # llm.c, modded-nanogpt, Lightning, Megatron-like, fairseq, keras
        ({"s": RISING, "trl": FALLING, "tel": FALLING},
         {"step": "s", "loss": "trl", "validation": "tel"}),
        ({"step": RISING, "train_loss": FALLING, "val_loss": FALLING},
         {"step": "step", "loss": "train_loss", "validation": "val_loss"}),
        ({"train_loss_step": FALLING, "lr-AdamW": FALLING, "step": RISING},
         {"loss": "train_loss_step", "lr": "lr-AdamW"}),
        ({"iteration": RISING, "lm loss": FALLING, "learning rate": FALLING, "loss scale": RISING,
          "grad norm": FALLING},
         {"step": "iteration", "loss": "lm loss", "lr": "learning rate", "scale": "loss scale",
          "grad_norm": "grad norm"}),
        ({"num_updates": RISING, "loss": FALLING, "gnorm": FALLING, "ppl": [20.1, 12.2, 9.5]},
         {"step": "num_updates", "loss": "loss", "grad_norm": "gnorm", "ppl": "ppl"}),
        ({"training ppl": [20.1, 12.2, 9.5], "Validation-f1-ppl": [9.1, 8.2, 9.5],
          "Validation-ppl": [22.1, 18.2, 19.5]},
         {"ppl": "training ppl", "validation_ppl": "Validation-ppl"}),
        ({"epoch": RISING, "loss": FALLING, "val_loss": FALLING, "accuracy": RISING},
         {"epoch": "epoch", "loss": "loss", "validation": "val_loss"}),
        ({"Step": RISING, "train/loss": FALLING, "eval/loss": FALLING, "train/grad_norm": FALLING},
         {"step": "Step", "loss": "train/loss", "validation": "eval/loss",
          "grad_norm": "train/grad_norm"}),
    ],
)  # fmt: skip
def test_known_writers(columns: Mapping[str, Sequence[float]], expected: Mapping[str, str]) -> None:
    found = infer(table(columns)).columns
    assert {role: found.get(role) for role in expected} == dict(expected)


def test_a_validation_is_the_loss_only_where_there_is_no_other() -> None:
    """Marian calls its training loss a cost, and its validation by the loss's name."""
    valid = {"Up": RISING, "valid cross-entropy": FALLING}
    both = infer(table({**valid, "Cost": FALLING, "L.r": FALLING})).columns
    assert (both["loss"], both["validation"]) == ("Cost", "valid cross-entropy")
    assert (both["step"], both["lr"]) == ("Up", "L.r")
    assert infer(table(valid)).columns["loss"] == "valid cross-entropy"


def test_the_mean_of_the_whole_run_is_not_the_loss() -> None:
    """Hugging Face writes ``train_loss`` once, in the last row."""
    losses = [3.0, 2.5, *[2.2] * 20]
    log = table(
        {"step": [*range(22), 21], "loss": [*losses, None], "train_loss": [None] * 22 + [2.4]},
        form="hf-trainer-state",
    )
    assert infer(log).columns["loss"] == "loss"
    assert judged(log).subject.facts["whole_run_mean"] == 2.4


def test_perplexity_confirms_the_loss_or_stands_for_it() -> None:
    ppl = [20.0855, 12.1825, 9.4877]
    both = infer(table({"step": RISING, "loss": FALLING, "ppl": ppl}))
    assert both.why["loss"] == both.why["ppl"] == "behaves"
    alone = table({"epoch": RISING, "train_ppl": ppl})
    roles = infer(alone)
    assert roles.why["loss"] == "derived"
    values = loss_of(alone, roles)
    assert values is not None
    assert values.tolist() == pytest.approx(FALLING, abs=1e-4)


def test_a_running_mean_is_known_as_such() -> None:
    log = judged(table({"step": RISING, "avg_loss": FALLING}))
    (columns,) = [e for e in log.evidence.values() if type(e).__name__ == "LogColumns"]
    assert vars(columns)["averaged"]
    assert infer(table({"avg_loss": FALLING, "loss": FALLING})).columns["loss"] == "loss"


def test_a_counter_must_count() -> None:
    assert "step" not in infer(table({"step": [0.5, 0.25, 0.1], "loss": FALLING})).columns


def test_the_counter_beside_the_losses_is_taken() -> None:
    """nanoGPT counts losses by ``iter`` and evaluations by ``step``."""
    iters: list[float | None] = [float(i) for i in range(20)]
    log = table(
        {"iter": [*iters, None], "step": [None] * 20 + [19.0], "loss": [*iters, None],
         "val loss": [None] * 20 + [3.0]}
    )  # fmt: skip
    assert infer(log).columns["step"] == "iter"


def test_what_is_asked_for_is_taken() -> None:
    log = table({"step": RISING, "loss": FALLING, "aux": [9.0, 8.0, 7.0]})
    roles = infer(log, {"loss": "aux"})
    assert (roles.columns["loss"], roles.why["loss"]) == ("aux", "set")


@pytest.mark.parametrize(
    ("asked", "key", "said"),
    [
        ({"loss": "train_lss"}, "no-column-but", "train_loss"),
        ({"loss": "xyz"}, "no-column", "step"),
        ({"los": "train_loss"}, "no-role", "loss"),
    ],
)
def test_what_there_is_not_is_refused(asked: dict[str, str], key: str, said: str) -> None:
    with pytest.raises(ShindanError) as error:
        refuse_unknown([table({"step": RISING, "train_loss": FALLING})], asked)
    assert error.value.reason.key == key
    assert any(said in str(v) for v in error.value.reason.values.values())


def test_settings_by_the_last_part_of_their_names() -> None:
    log = table({"loss": FALLING}, settings={"optim.grad_clip": "0.5", "model.vocab_size": 65})
    assert setting(log, "clip") == ("optim.grad_clip", 0.5)
    assert setting(log, "vocabulary") == ("model.vocab_size", 65.0)
    assert setting(log, "rate") is None


@pytest.mark.parametrize(
    ("columns", "objective"),
    [
        ({"loss": FALLING}, "language"),
        ({"loss": FALLING, "reward": RISING}, "reward"),
        ({"d_loss": FALLING, "g_loss": RISING}, "adversarial"),
        ({"loss": [1.0, -2.0, 0.5]}, "signed"),
    ],
)
def test_losses_that_need_not_fall(columns: dict[str, list[float]], objective: str) -> None:
    log = judged(table(columns))
    (found,) = [e for e in log.evidence.values() if type(e).__name__ == "LogColumns"]
    assert vars(found)["objective"] == objective
