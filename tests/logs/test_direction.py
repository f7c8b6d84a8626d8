"""Slow noise goes nowhere; what falls is seen; what is told was measured."""

import numpy as np
import pytest

from shindan.core.evidence.phases import Phases
from shindan.core.evidence.trend import FewLosses
from shindan.diagnose.engine import diagnose
from shindan.logs.course import NOTHING, course
from shindan.logs.few import evaluations
from shindan.logs.judged import judged
from shindan.logs.phases import phases, spread
from shindan.logs.shifts import shift
from shindan.logs.table import LogTable
from shindan.logs.trends import slope
from tests.logs.curves import Array, noise, steps

from .tables import table


def told(x: Array, y: Array) -> Phases:
    found = phases("loss", "update", x, y)
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "seeds"), [(20, 60), (100, 60), (1000, 20)])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.99])
def test_noise_of_any_correlation_goes_nowhere(n: int, seeds: int, rho: float) -> None:
    """5 % at most (benchmarks/directions.py, a thousand series each); here two sd more."""
    found = [told(steps(n), noise(n, rho, 1.0, seed)) for seed in range(seeds)]
    most = 0.05 * seeds + 2 * np.sqrt(0.05 * 0.95 * seeds)
    assert sum(f.directed or len(f.phases) > 1 for f in found) <= most


@pytest.mark.parametrize("n", [12, 30, 100, 1000])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_a_learning_curve_falls(n: int, rho: float) -> None:
    y = 2 + 6 * steps(n) ** -0.4 + noise(n, rho, 0.05, n)
    assert {p.kind for p in told(steps(n), y).phases} == {"falling"}


def test_a_table_that_falls_at_once_falls() -> None:
    y = np.array([0.997, 0.914, 0.871, 0.835, 0.803, 0.785, 0.773, 0.765, 0.756, 0.752, 0.743])
    assert [p.kind for p in told(steps(11), y).phases] == ["falling"]


@pytest.mark.parametrize("n", [14, 200, 3000])
def test_levels_are_measured(n: int) -> None:
    """A loss that never was negative is not said to have become so."""
    y = np.abs(1.6 * np.exp(-steps(n) / (n / 20)) + 0.01 * noise(n, 0.0, 1.0, n))
    for phase in told(steps(n), y).phases:
        assert y.min() <= min(phase.start, phase.end, phase.level)
        assert max(phase.start, phase.end, phase.level) <= y.max()


def test_rows_that_share_a_step_stand_one_after_the_other() -> None:
    x = np.array([1.0, 1, 1, 1, 2, 2, 4, 4])
    assert spread(x).tolist() == [1, 1.25, 1.5, 1.75, 2, 3, 4, 5]
    assert spread(steps(5)).tolist() == [1, 2, 3, 4, 5]
    assert spread(np.ones(4)).tolist() == [1, 1.25, 1.5, 1.75]
    epochs = np.repeat(steps(20), 100)
    (phase,) = told(epochs, 1 + 5 * steps(2000) ** -0.5).phases
    assert (phase.kind, phase.first) == ("falling", 1.0)
    assert slope(np.ones(40), -steps(40)).change == pytest.approx(-39)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_the_error_of_a_slope_allows_for_slow_noise(rho: float) -> None:
    held = 0
    for seed in range(100):
        line = slope(steps(1000), noise(1000, rho, 1.0, seed))
        held += line.low <= 0 <= line.high
    assert held >= 88  # of 100; HAC alone holds 68 at 0.9


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.99])
def test_slow_noise_loses_no_level(rho: float) -> None:
    for seed in range(20):
        found = shift(steps(1000), 10 + noise(1000, rho, 1.0, seed))
        assert found is None or found.after - found.before <= 7 * found.error


def ids(log: LogTable) -> set[str]:
    read = judged(log)
    went = course(read, NOTHING)
    document = diagnose({**read.evidence, **went.evidence}, read.missing, (), read.subject)
    return {f.id for f in document.findings}


@pytest.mark.parametrize("n", [14, 80])
def test_what_falls_at_once_is_not_undecided(n: int) -> None:
    rng = np.random.default_rng(n)
    y = 0.4 + 11 * np.exp(-2.5 * np.arange(n)) + rng.normal(0, 0.02, n)
    log = table({"step": steps(n).tolist(), "loss": y.tolist()})
    assert "comparison/cannot-decide" not in ids(log)


def test_few_losses_in_no_order_have_no_direction() -> None:
    log = table({"step": steps(8).tolist(), "loss": [11.17, 11.18, 11.17, 11.18, 11.17, 11.17,
                                                     11.18, 11.17]})  # fmt: skip
    read = judged(log)
    few = read.evidence[FewLosses]
    assert isinstance(few, FewLosses)
    assert not few.decides
    (said,) = course(read, NOTHING).sentences
    assert said.key == "course-unclear"
    assert "comparison/cannot-decide" in ids(log)


def test_evaluations_that_scatter() -> None:
    dev = [0.674, 0.956, 0.811, 0.656, 0.884, 0.742, 0.719, 0.625, 0.689, 0.740, 0.722, 0.728]
    rows = range(60)
    losses = (0.3 + np.exp(-np.arange(60) / 12) + noise(60, 0.0, 0.05, 0)).tolist()

    def logged(values: list[float]) -> LogTable:
        evals = [values[i // 5] if i % 5 == 4 else None for i in rows]
        return table({"step": [*rows], "loss": losses, "dev_loss": evals})

    assert "comparison/cannot-decide" in ids(logged(dev))
    assert "comparison/cannot-decide" not in ids(logged(sorted(dev, reverse=True)))
    assert evaluations("dev", np.array(dev[:7])) is None


@pytest.mark.parametrize(("ppl", "found"), [(1.002, True), (4.0, False)])
def test_a_perplexity_no_text_allows(ppl: float, found: bool) -> None:
    evals = [ppl + 1.0 / (i + 1) if i % 5 == 4 else None for i in range(60)]
    log = table({"step": [*range(60)], "loss": [0.9**i for i in range(60)], "val_ppl": evals})
    assert ("symptom/below-entropy-floor" in ids(log)) == found
