"""Stories of short logs, and of slow or sudden ones: told, and not told where it may be chance."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shindan.core.document import Document
from shindan.diagnose.engine import diagnose
from shindan.logs.judged import judged
from shindan.logs.order import in_order
from shindan.logs.reading import read
from shindan.logs.shifts import shift
from shindan.logs.table import LogTable

from .tables import table


def document(log: LogTable) -> Document:
    held = judged(log)
    return diagnose(held.evidence, held.missing, (), held.subject)


def severity(log: LogTable, wanted: str) -> str:
    return next((f.severity for f in document(log).findings if f.id == wanted), "")


def test_order_is_exact() -> None:
    assert in_order(np.arange(4.0)) == pytest.approx(1 / math.factorial(4))
    assert in_order(np.ones(4)) == 1.0


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ([0.503, 0.506, 0.510, 0.512], "minor"),
        ([0.503, 0.510, 0.506, 0.512], ""),
        ([0.503, 0.506, 0.510], ""),
        ([0.5005, 0.501, 0.5015, 0.502], ""),
    ],
)
def test_a_small_rise_in_order(after: Sequence[float], found: str) -> None:
    evals = [0.70, 0.60, 0.55, 0.52, 0.505, 0.50, *after]
    losses = [1.0 * 0.8**i for i in range(len(evals))]
    log = table({"epoch": [*range(len(evals))], "loss": losses, "val_loss": evals})
    assert severity(log, "symptom/overfit") == found


def test_evaluations_that_scatter_are_rarely_an_overfit() -> None:
    """Training falls; the validation stands, with noise."""
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        evals = 0.5 + 0.4 * np.exp(-np.arange(16.0)) + rng.normal(0, 0.01, 16)
        log = table({"epoch": [*range(16)], "loss": [0.8**i for i in range(16)],
                     "val_loss": evals.tolist()})  # fmt: skip
        found += severity(log, "symptom/overfit") != ""
    assert found <= 4


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([1.40 + 0.02 * i for i in range(12)], "minor"),
        ([1.40 + 0.001 * i for i in range(12)], ""),
        ([4.8, 4.9, 4.7, 4.8, 270.0, 90.0, 40.0, 60.0, 31.0, 35.0], "major"),
        ([4.8, 4.9, 4.7, 4.8, 270.0, 90.0, 40.0, 8.0, 6.0, 5.0], ""),
    ],
)
def test_a_few_losses(losses: Sequence[float], found: str) -> None:
    log = table({"step": [10 * i for i in range(len(losses))], "loss": losses})
    assert severity(log, "symptom/loss-diverging") == found


def test_a_level_lost_from_one_row_to_the_next() -> None:
    rng = np.random.default_rng(3)
    x, y = np.arange(400.0), 0.8 + rng.normal(0, 0.15, 400)
    calm = shift(x, y)
    assert calm is None or calm.after - calm.before < 0.25 * calm.before
    y[200:300] += 0.45
    found = shift(x, y)
    assert found is not None
    assert abs(found.update - 200) <= 3
    log = table({"step": x.tolist(), "loss": y.tolist()})
    assert severity(log, "symptom/loss-jump") == "minor"


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_slow_noise_is_no_lost_level(rho: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y, last = 1 + 2 * np.exp(-np.arange(1500) / 300), 0.0
        for i, fresh in enumerate(rng.standard_t(4, 1500) * 0.12):
            last = rho * last + fresh * math.sqrt(1 - rho**2)
            y[i] += last
        found = shift(np.arange(1500.0), y)
        assert found is None or found.after - found.before <= 7 * found.error


@pytest.mark.parametrize(
    ("line", "scales", "found"),
    [
        ("| WARNING: overflow detected, setting loss scale to: {}", range(1, -7, -1), "major"),
        ("Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to {}",
         range(5, 0, -1), "major"),
        ("OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 64, reducing to {}",
         range(15, 3, -1), ""),
    ],
)  # fmt: skip
def test_refused_updates(line: str, scales: range, found: str, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("\n".join(line.format(2.0**s) for s in scales) + "\n")
    (log,) = read(path)
    assert severity(log, "numerics/grad-scaler-collapse") == found


@pytest.mark.parametrize(("second", "found"), [(56.168, "minor"), (56.171, "")])
def test_rates_of_zero_that_move_nothing(second: float, found: str) -> None:
    log = table({
        "step": [100, 110, 120, 130, 140],
        "loss": [4.0, 4.1, 3.9, None, 4.0], "lr": [0.0, 0.0, 0.0, None, 0.0],
        "validation perplexity": [56.168, None, None, second, None],
    })  # fmt: skip
    assert severity(log, "schedule/total-steps-wrong") == found


def test_epochs_that_stand_above_their_losses() -> None:
    """The epochs go back from 30 to 20, on lines of their own, and the loss is another."""
    epochs = [*range(30), *range(20, 60)]
    rng = np.random.default_rng(1)
    losses = [2.0 + v for v in rng.normal(0, 0.01, 30)] + [1.4 + v for v in rng.normal(0, 0.01, 40)]
    rows = [(e, None) for e in epochs], [(None, v) for v in losses]
    both = [row for pair in zip(*rows, strict=True) for row in pair]
    log = table({"epoch": [e for e, _ in both], "loss": [v for _, v in both]}, form="text")
    assert judged(log).axis.unit == "epoch"
    assert severity(log, "symptom/loss-jump") == "info"
