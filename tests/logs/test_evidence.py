"""What is told of the numbers of a log, and what is not."""

import math

import numpy as np
import pytest

from shindan.core.document import Document
from shindan.core.evidence.logs import LogClip, LogFinite, LogRates
from shindan.core.evidence.trend import LossTrend
from shindan.diagnose.engine import diagnose
from shindan.logs.judged import judged
from shindan.logs.table import LogTable
from shindan.logs.trends import FEWEST, LONGEST, means, slope, spikes

from .tables import table

N = 120
STEPS = [10.0 * (i + 1) for i in range(N)]
RNG = np.random.default_rng(5)
LOSS = [float(v) for v in 3 + 5 * np.exp(-np.arange(N) / 25) + RNG.normal(0, 0.03, N)]


def document(log: LogTable) -> Document:
    read = judged(log)
    return diagnose(read.evidence, read.missing, (), read.subject)


def ids(log: LogTable) -> set[str]:
    return {f.id for f in document(log).findings}


@pytest.mark.parametrize(
    ("tail", "norm", "found"),
    [
        ([0.0] * 10, math.nan, True),
        ([0.0] * 10, 0.0, True),
        ([0.0] * 10, 0.3, False),  # zero for a reason of its own
        ([0.0] * 2, math.nan, False),
        ([0.5, 0.05, 0.004, 0.001, 0.0, 0.0, 0.0, 0.0], 0.0, False),  # went down to zero
    ],
)
def test_zeros_that_hide_a_nan(tail: list[float], norm: float, found: bool) -> None:
    losses = [*LOSS[: N - len(tail)], *tail]
    norms = [*[1.0] * (N - len(tail)), *[norm] * len(tail)]
    log = table({"step": STEPS, "loss": losses, "grad_norm": norms}, form="hf-trainer-state")
    assert ("evaluation/nan-hidden-in-logs" in ids(log)) is found


@pytest.mark.parametrize(("figures", "found"), [(5, True), (1, False)])
def test_a_mean_that_repeats_itself(figures: int, found: bool) -> None:
    losses = [round(v, figures) for v in LOSS[:100]]
    held = judged(table({"step": STEPS, "loss": [*losses, *[losses[-1]] * 20]}))
    finite = held.evidence[LogFinite]
    assert isinstance(finite, LogFinite)
    assert bool(finite.hidden) is found


def rates(lr: list[float]) -> LogRates:
    found = judged(table({"step": STEPS, "loss": LOSS, "lr": lr})).evidence[LogRates]
    assert isinstance(found, LogRates)
    return found


def test_zero_is_told_only_where_the_log_has_the_figures() -> None:
    early = [max(0.0, 6e-4 * (1 - i / 60)) for i in range(N)]
    assert rates(early).zero_share == pytest.approx(0.5, abs=0.02)
    assert rates([round(v, 4) for v in early]).zero_share == 0.0


@pytest.mark.parametrize(("second", "differing"), [(1e-4, 0), (5e-5, N)])
def test_any_group_of_the_optimizer_may_be_meant(second: float, differing: int) -> None:
    log = {"step": STEPS, "loss": LOSS, "lr": [1e-4] * N}
    groups = {"optimizer_lrs.0": [1e-5] * N, "optimizer_lrs.1": [second] * N}
    found = judged(table({**log, **groups})).evidence[LogRates]
    assert isinstance(found, LogRates)
    assert (found.compared, found.differing) == (N, differing)


def test_a_straight_rise() -> None:
    assert rates([1e-6 * (i + 1) for i in range(N)]).straight
    assert not rates([1e-6 * 1.05**i for i in range(N)]).straight
    assert not rates([1e-4] * N).straight


def test_an_unfinished_warm_up_of_a_run_that_was_meant_longer() -> None:
    lr = [1e-6 * (i + 1) for i in range(N)]
    log = {"step": STEPS, "loss": LOSS, "lr": lr}
    said = "schedule/warmup-longer-than-run"
    assert said in ids(table(log, settings={"max_steps": 1200}))
    assert said not in ids(table(log, settings={"max_steps": 90_000}))


def test_the_limit_comes_from_a_column_or_a_setting() -> None:
    log = {"step": STEPS, "loss": LOSS, "grad_norm": [2.0] * N}
    missing = judged(table(log)).missing
    assert "no-limit-in-log" in {getattr(m.because, "key", "") for m in missing}
    clip = judged(table(log, settings={"max_grad_norm": 1.0})).evidence[LogClip]
    assert isinstance(clip, LogClip)
    assert (clip.limit, clip.limit_from, clip.active) == (1.0, "max_grad_norm", N)


def test_a_norm_after_clipping_lies_at_its_limit() -> None:
    norms = [min(1.0, 0.5 + i / N) for i in range(N)]
    log = table({"step": STEPS, "loss": LOSS, "grad_norm": norms}, settings={"grad_clip": 1.0})
    clip = judged(log).evidence[LogClip]
    assert isinstance(clip, LogClip)
    assert (clip.after, clip.active) == (True, N // 2)
    assert "optimizer/clip-always-active" in ids(log)


def test_spikes_and_overfitting_are_found_in_a_log() -> None:
    spiky = list(LOSS)
    spiky[80:86] = [v + 4 for v in LOSS[80:86]]
    assert "symptom/loss-spikes" in ids(table({"step": STEPS, "loss": spiky}))
    falls = [5 - 4 * i / N for i in range(N)]
    turned = [4 - 0.3 * i if i < 4 else 2.8 + 0.4 * (i - 4) for i in range(10)]
    evals = [turned[i // 12] if i % 12 == 11 else None for i in range(N)]
    assert "symptom/overfit" in ids(table({"step": STEPS, "loss": falls, "val_loss": evals}))


@pytest.mark.parametrize(("turns", "said"), [(True, True), (False, False)])
def test_overfitting_in_a_log_of_a_few_epochs(turns: bool, said: bool) -> None:
    train = [2.0 * 0.75**i for i in range(12)]
    last = [0.9 + 0.1 * i for i in range(8)] if turns else [0.9 - 0.01 * i for i in range(8)]
    log = table(
        {
            "epoch": [float(i) for i in range(12)],
            "loss": train,
            "val_loss": [1.8, 1.4, 1.1, 1, *last],
        }
    )
    assert ("symptom/overfit" in ids(log)) is said


def test_a_jump_at_a_resume() -> None:
    steps = [10.0 * i for i in [*range(60), *range(50, 110)]]
    losses = [*LOSS[:60], *[v + 3 for v in LOSS[50:110]]]
    assert "symptom/loss-jump" in ids(table({"step": steps, "loss": losses}))
    assert "symptom/loss-jump" not in ids(
        table({"step": steps, "loss": [*LOSS[:60], *LOSS[50:110]]})
    )


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"step": STEPS[:3], "loss": LOSS[:3]}, "inconclusive"),
        ({"step": STEPS, "accuracy": LOSS}, "inconclusive"),
        ({"step": STEPS, "loss": LOSS}, "healthy"),
        ({"step": STEPS, "loss": [math.nan] * N}, "sick"),
    ],
)
def test_verdicts(columns: dict[str, list[float]], verdict: str) -> None:
    found = document(table(columns))
    assert (found.verdict, found.failed) == (verdict, ())


def test_too_few_rows_for_a_trend_are_said() -> None:
    read = judged(table({"step": STEPS[:20], "loss": LOSS[:20]}))
    (why,) = [m.because for m in read.missing if m.evidence == LossTrend.__name__]
    assert getattr(why, "values", {}) == {"rows": 20, "needed": FEWEST}


def test_long_series_are_averaged_before_a_fit() -> None:
    n = 3 * LONGEST
    x = np.arange(n, dtype=np.float64)
    y = 2.0 - x / n + RNG.normal(0, 0.1, n)
    assert len(means(y, LONGEST)) == LONGEST
    assert slope(x, y).change == pytest.approx(-1.0, abs=0.01)


def test_spikes_of_a_long_series_are_where_a_slow_search_finds_them() -> None:
    y = 3 + RNG.normal(0, 0.05, 5000)
    y[[300, 301, 302, 303]] += 5
    y[2000] += 5  # one value alone
    y[4000:4005] += 2
    found = spikes(np.arange(5000.0), y)
    assert [(s.update, s.lasted, s.recovered) for s in found] == [(300, 4, True), (4000, 5, True)]
