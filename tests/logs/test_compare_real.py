"""Real logs against each other: what is measured of them, and what must not be said."""

from pathlib import Path

import pytest

from shindan.core.evidence.gap import Gap
from shindan.diagnose.compare import Compared, compare

from .test_compare import ids

LOGS = Path(__file__).parents[2] / ".." / "shared" / "data" / "logs"
pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="needs the real logs of ../shared/data")


def of(*names: str) -> tuple[Compared, Gap]:
    made = compare([LOGS / name for name in names])
    gap = made.comparison.pairs[0].gap
    assert gap is not None
    assert sum(p.value for p in gap.parts) == pytest.approx(gap.total, abs=1e-12)
    return made, gap


def test_half_the_updates_are_most_of_the_difference() -> None:
    made, gap = of("gpt2_fp4.txt", "gpt2_adamw.log")
    budget = gap.part("budget")
    assert budget is not None
    assert budget.value == pytest.approx(-0.144, abs=0.005)
    assert ids(made) == {"comparison/unequal-budget": "minor"}
    # the clock is set anew at the tenth step
    assert made.comparison.sides[0].facts.of("seconds") == pytest.approx(7575.753)


def test_an_annealing_that_follows_the_loss_is_no_cause() -> None:
    """A GRU that breaks and a LSTM that does not: layers and width are equal, the model is not."""
    _, gap = of("wt2_gru.log", "wt2_lstm.log")
    assert gap.part("schedule") is None
    assert gap.mixed is not None
    assert gap.mixed.of == ("schedule", "other")
    notes = dict(gap.notes)
    assert notes["schedule"].key == "gap-schedule-steps"
    assert notes["other"].values == {"names": "model"}


def test_a_rate_of_ten_thousandth_is_not_told_from_the_model() -> None:
    made, gap = of("ptb_gru.csv", "ptb_rnn.csv")
    assert gap.mixed is not None
    assert {"rate", "other"} <= set(gap.mixed.of)
    assert made.comparison.pairs[0].rerun == "learning_rate=10"


def test_two_windows_of_one_run_are_not_told_apart() -> None:
    made, _ = of("phase8/before.json", "phase8/report.json")
    assert ids(made) == {"comparison/cannot-decide": "info"}


def test_other_vocabularies_and_objectives_have_no_shares() -> None:
    other = compare([LOGS / "p8_3b.json", LOGS / "phase8/after_scaler_off.json"])
    assert "comparison/different-tokenizers" in ids(other)
    assert other.comparison.pairs[0].gap is None
    reward = compare([LOGS / "trainer_state_d.json", LOGS / "trainer_state_b.json"])
    assert ids(reward) == {"comparison/losses-differ-in-definition": "major"}
    assert reward.comparison.pairs[0].gap is None
