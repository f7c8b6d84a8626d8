"""Learning rates that begin anew, jumps there, and logs that begin at a resume."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from shindan.diagnose.engine import diagnose
from shindan.logs.judged import judged
from shindan.logs.leaps import leaps, resets
from shindan.logs.shifts import at_leap, begins_high
from shindan.logs.trends import apart

from .tables import table

Array = NDArray[np.float64]


def linear(n: int, peak: float = 1e-4, left: float = 0.0) -> Array:
    return peak * (1 - (1 - left) * np.arange(n) / n)


def cosine(n: int, peak: float = 1e-4) -> Array:
    return peak * (1 + np.cos(math.pi * np.arange(n) / n)) / 2


def warm(n: int, most: int) -> Array:
    return 1e-4 * np.arange(n) / most


def test_a_decay_that_was_cut_off_and_begins_again() -> None:
    whole = linear(80)
    assert [*resets(np.concatenate([whole[:32], whole[:48]]))] == [32]
    assert [*resets(np.concatenate([cosine(80)[:32], cosine(80)[:48]]))] == [32]


@pytest.mark.parametrize(
    "lr",
    [
        np.concatenate([cosine(30), cosine(30), cosine(30)]),
        np.concatenate([cosine(10), cosine(20), cosine(40)]),  # twice as long each
        np.concatenate([cosine(30), cosine(30, 0.7e-4), cosine(30, 0.5e-4)]),
        np.concatenate([linear(30), linear(60)]),
        np.concatenate([linear(30, left=0.1), linear(60)]),  # to a tenth, as many end
        np.concatenate([linear(80)[:40], linear(80)[:30]]),  # ends above: nothing was cut off
        np.concatenate([linear(80)[:40], linear(80, 0.7e-4)]),  # a second stage, at another rate
        np.concatenate([warm(20, 20), linear(60)]),
        np.concatenate([linear(40), warm(20, 20), linear(40)]),
        np.tile([1e-4, 5e-4], 40),  # two optimizers by turns
        np.full(80, 1e-4),
        np.repeat([1e-4, 1e-5, 1e-6], 20),
    ],
)
def test_schedules_that_are_meant(lr: Array) -> None:
    assert not [*resets(lr)]


def test_a_leap_after_a_decay() -> None:
    lr = np.concatenate([linear(50), [0.0], linear(25, 0.4e-4)])
    assert leaps(lr) == [51]
    assert leaps(np.concatenate([linear(50), warm(30, 30)])) == []
    assert leaps(np.zeros(20)) == []


@pytest.mark.parametrize(("height", "found"), [(1.0, True), (0.0, False), (0.02, False)])
def test_the_loss_leaps_with_the_rate(height: float, found: bool) -> None:
    rng = np.random.default_rng(5)
    lr = np.concatenate([linear(50), [0.0], linear(49, 0.4e-4), linear(50, 0.7e-4)])
    loss = np.exp(-np.arange(150) / 40) + 0.2 + rng.normal(0, 0.01, 150)
    loss[50:80] += height * np.exp(-np.arange(30) / 20)
    log = table({"step": [*range(1, 151)], "loss": loss.tolist(), "lr": lr.tolist()})
    held = judged(log)
    told = diagnose(held.evidence, held.missing, (), held.subject).findings
    assert any(f.id == "symptom/loss-jump" for f in told) is found
    assert all(f.severity in ("minor", "info") for f in told)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.99])
def test_slow_noise_does_not_leap(rho: float) -> None:
    """Sixty places in 100 series each; a jump must be 7 errors and a quarter of the level."""
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y, last = np.empty(300), 0.0
        for i, fresh in enumerate(rng.standard_t(4, 300) * 0.15):
            last = rho * last + fresh * math.sqrt(1 - rho**2)
            y[i] = 1 + last
        for at in range(30, 270, 4):
            jump = at_leap(np.arange(300.0), y, at)
            height = 0.0 if jump is None else jump.after - jump.before
            wrong += jump is not None and height > max(7 * jump.error, 0.25 * abs(jump.before))
    assert wrong <= 6  # of 6,000


def test_a_log_that_begins_at_a_resume() -> None:
    rng = np.random.default_rng(1)
    x, y = 19072 + np.arange(400.0), 3.05 + rng.normal(0, 0.04, 400)
    calm = begins_high(x, y)
    assert calm is None or abs(calm.after - calm.before) < 7 * calm.error
    y[1:] += 0.9 * np.exp(-np.arange(399) / 4)
    found = begins_high(x, y)
    assert found is not None
    assert found.after - found.before > max(7 * found.error, 0.1 * found.before)
    y[0] = 1.5  # a mean that begins at zero
    assert begins_high(x, y) is None
    assert begins_high(x[:60], y[:60]) is None
    ids = []
    for first in (1, 19072):
        y[0] = 3.05
        log = table({"step": (first + np.arange(400)).tolist(), "loss": y.tolist()})
        held = judged(log)
        found_ids = diagnose(held.evidence, held.missing, (), held.subject).findings
        ids.append("symptom/loss-jump" in {f.id for f in found_ids})
    assert ids == [False, True]


def test_evaluations_above_all_before() -> None:
    before, after = [0.176, 0.166, 0.157], [0.215, 0.195, 0.228, 0.177, 0.237, 0.214, 0.214]
    assert apart(before + after, 2) == pytest.approx(10 / (3 * 120))
    assert apart([0.9, 0.8, *before, *after], 4) == pytest.approx(12 / (3 * 120))
    assert apart(before[1:] + after, 1) == 1.0
    assert apart(before + after[:3], 2) == 1.0
    assert apart([0.3, 0.2, 0.157, *after], 2) == 1.0
    assert apart(before, 2) == 1.0


def test_evaluations_of_a_plateau_are_rarely_apart() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(2000):
        evals = (0.2 + 0.5 * np.exp(-np.arange(14.0)) + rng.normal(0, 0.03, 14)).tolist()
        wrong += apart(evals, evals.index(min(evals))) <= 0.05
    assert wrong <= 100
