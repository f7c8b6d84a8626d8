"""Real logs: what happened in each, read by a person first, and what the tool says of it."""

from pathlib import Path

import pytest

from shindan.core.document import Document, Verdict
from shindan.core.evidence.logs import LogClip, LogController, LogProgress, LogRates
from shindan.core.evidence.trend import LossTrend
from shindan.core.finding import SEVERITIES
from shindan.diagnose.logs import ReadLogs, examine

LOGS = Path(__file__).parents[2] / ".." / "shared" / "data" / "logs"
pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="needs the real logs of ../shared/data")

STORIES: dict[str, tuple[str, Verdict, set[str]]] = {
    # file: (what happened, verdict, ids that must be said above info; nothing else above info)
    "gpt2_adamw.log": ("llm.c GPT-2 124M, falls to 3.28 and ends well", "healthy", set()),
    "gpt2_fp4.txt": ("modded-nanogpt, falls to 3.06 validation", "healthy", set()),
    "p8_300m_ja.json": ("10.89 to 6.04, steady; resumed three times", "healthy", set()),
    "ptb_gru.csv": ("a course's GRU, annealed, converged at 101.7", "healthy", set()),
    "ptb_gru.steps.csv": ("the same by step", "healthy", set()),
    "ptb_rnn.csv": ("SGD at 1e-4: hardly moves in 40 epochs, still falling", "healthy", set()),
    "ptb_rnn.steps.csv": ("the same by step", "healthy", set()),
    "trainer_state_b.json": ("fine-tuning, 5.29 to 3.35", "healthy", set()),
    "trainer_state_c.json": ("P-tuning, 2.66 to 1.20, decayed to zero", "healthy", set()),
    "trainer_state_d.json": ("reinforcement learning: loss about zero", "healthy", set()),
    "wt2_lstm.log": ("word_language_model's LSTM, 4.81 validation", "healthy", set()),
    "p7.json": ("two rows at ln 50257, a hundred updates: never left it", "inconclusive", set()),
    "trainer_state_e.json": ("no rows at all", "inconclusive", set()),
    "lora_fp16.log": ("NaN from iteration 110 on", "sick", {"symptom/nan"}),
    "nanogpt_fp16.log": ("NaN after the evaluation at 3000", "sick", {"symptom/nan"}),
    "wt2_relu.log": ("NaN from the first row on", "sick", {"symptom/nan"}),
    "wt2_gru.log": ("breaks in epoch 4 and stays", "sick", {"symptom/loss-diverging"}),
    "trainer_state_a.json": ("trains well, every evaluation is NaN", "sick", {"symptom/nan"}),
    "p8_3b.json": (
        "3.46875 in every row: ln 32 in bf16",
        "sick",
        {"symptom/loss-flat", "symptom/at-uniform-line"},
    ),
    "phase8/report.json": (
        "report 2: LR 0.05 logged, 0.005 used; controller pinned",
        "sick",
        {"config/logged-lr-not-effective", "schedule/controller-stuck"},
    ),
    "phase8/before.json": (
        "the 155 updates before; they fall",
        "sick",
        {"config/logged-lr-not-effective", "schedule/controller-stuck"},
    ),
    "phase8/after_lr_and_accumulation_fixed.json": (
        "the LR is used as logged; the controller is still pinned, to no effect",
        "healthy",
        {"schedule/controller-stuck"},
    ),
    "phase8/after_scaler_off.json": (
        "24.4 to about 5, erratic; the controller pinned, to no effect",
        "healthy",
        {"schedule/controller-stuck"},
    ),
}


def read(name: str) -> ReadLogs:
    return examine([LOGS / name], {})


def above_info(document: Document) -> set[str]:
    return {f.id for f in document.findings if SEVERITIES.index(f.severity) < 3}


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_told_and_nobody_else_accused(name: str) -> None:
    _, verdict, ids = STORIES[name]
    document = read(name).document
    assert document.failed == ()
    assert above_info(document) == ids
    assert document.verdict == verdict


def test_report_2_figure_by_figure() -> None:
    log = read("phase8/report.json").evidence[0]
    clip, rates, controller = log[LogClip], log[LogRates], log[LogController]
    progress, trend = log[LogProgress], log[LossTrend]
    assert isinstance(progress, LogProgress)
    assert isinstance(clip, LogClip)
    assert (progress.rows, progress.interval, progress.per_update) == (62, 16, 16)
    assert (clip.active, clip.rows, clip.same) == (49, 62, True)
    assert clip.bound == pytest.approx(0.31, abs=0.005)
    assert isinstance(rates, LogRates)
    assert isinstance(controller, LogController)
    assert (rates.differing, rates.compared) == (62, 62)
    assert rates.logged == pytest.approx(0.05, rel=1e-3)
    assert rates.used == pytest.approx(0.005)
    assert (controller.share, controller.beyond, controller.windows) == (1.0, 53, 53)
    assert controller.lowest == pytest.approx(0.283, abs=5e-4)
    assert controller.middle == pytest.approx(0.51, abs=5e-3)
    assert isinstance(trend, LossTrend)
    assert trend.whole is not None
    # per update: over 61 distances between 62 updates
    assert trend.whole.change / 61 == pytest.approx(0.0006, abs=5e-5)
    assert trend.whole.t_independent == pytest.approx(0.31, abs=5e-3)
    assert trend.whole.low < 0 < trend.whole.high


def test_the_log_before_it_falls() -> None:
    trend = read("phase8/before.json").evidence[0][LossTrend]
    assert isinstance(trend, LossTrend)
    assert trend.whole is not None
    assert trend.whole.change / 154 == pytest.approx(-0.0020, abs=5e-5)
    assert trend.whole.t_independent == pytest.approx(-4.4, abs=0.05)
    assert trend.whole.high < 0


@pytest.mark.parametrize("name", ["ptb_rnn.csv", "ptb_rnn.steps.csv"])
def test_a_run_that_ends_while_it_still_falls(name: str) -> None:
    """Plain SGD at 1e-4: a perplexity of 10,063 to 3,066 in forty epochs."""
    (found,) = [f for f in read(name).document.findings if f.id == "symptom/undertrained"]
    assert found.severity == "info"
    assert float(str(found.measured["share"])) > 0.15


def test_the_controller_changed_its_city_once() -> None:
    controller = read("phase8/before.json").evidence[0][LogController]
    assert isinstance(controller, LogController)
    assert controller.changes == 1


def test_two_rows_at_the_uniform_line_are_worth_a_word() -> None:
    (found,) = [f for f in read("p7.json").document.findings if f.id == "symptom/at-uniform-line"]
    assert found.severity == "info"
    assert found.measured["vocabulary"] == (50257, 50265, 50304)


def test_many_logs_are_many_subjects() -> None:
    read_logs = examine([LOGS / "phase8", LOGS / "wt2_gru.log"], {})
    document = read_logs.document
    assert len(document.subjects) == len(read_logs.evidence) == 5
    assert document.verdict == "sick"
    diverging = [f for f in document.findings if f.id == "symptom/loss-diverging"]
    assert [document.subjects[f.subject].name for f in diverging] == ["wt2_gru.log"]
