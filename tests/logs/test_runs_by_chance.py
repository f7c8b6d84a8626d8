"""What noise and damage make of the runs of a log."""

from collections.abc import Callable

import numpy as np
import pytest

from shindan.logs.runs import runs
from shindan.logs.table import LogTable

from .tables import table
from .test_runs import Values, falling, steps


def broken(seed: int) -> LogTable:
    """Counters that fall anywhere, and any number in any column."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([0, 1, 2, 3, 10, 60]))
    odd = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300, 0.0, -1.0, 5e-324, None]
    columns: dict[str, Values] = {}
    for name in ("step", "epoch", "tokens", "loss", "lr", "val_loss"):
        if name in ("step", "epoch", "tokens"):
            made = list(np.arange(size) % rng.integers(1, size + 2) * rng.choice([1.0, 0.29, 1e15]))
        else:
            made = list(rng.normal(3, 1, size) * rng.choice([1.0, 1e199]))
        for place in np.flatnonzero(rng.random(size) < rng.choice([0.02, 0.5])):
            made[place] = odd[int(rng.integers(len(odd)))]
        if rng.random() < 0.7:
            columns[name] = made
    return table(columns)


def test_no_number_is_too_odd() -> None:
    for seed in range(400):
        log = broken(seed)
        found = runs(log)
        assert found
        assert sum(len(run.table) for run in found) <= len(log)
        assert [run.number for run in found] == list(range(1, len(found) + 1))


MAKERS: dict[str, tuple[int, Callable[[int], LogTable]]] = {
    "steps of an epoch": (
        1,
        lambda seed: table({"step": steps(*[range(25)] * 4), "loss": falling(100, seed)}),
    ),
    "steps of an epoch, hardly falling": (
        1,
        lambda seed: table(
            {"step": steps(*[range(25)] * 4), "loss": falling(100, seed, start=2.1, end=2.05)}
        ),
    ),
    "runs from scratch": (
        4,
        lambda seed: table(
            {
                "step": steps(*[range(25)] * 4),
                "loss": [v for run in range(4) for v in falling(25, 4 * seed + run)],
            }
        ),
    ),
    "fine-tunings": (
        4,
        lambda seed: table(
            {
                "step": steps(*[range(25)] * 4),
                "loss": [v for run in range(4) for v in falling(25, 4 * seed + run, 2.3, 1.9)],
            }
        ),
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_noise_decides_nothing(name: str) -> None:
    """Of a hundred logs of each kind at most five are cut otherwise (the odds are 20 to 1)."""
    wanted, made = MAKERS[name]
    wrong = sum(len(runs(made(seed))) != wanted for seed in range(100))
    assert wrong <= 5
