"""Damaged logs of every format: a table or one clear sentence, never anything else."""

from pathlib import Path

import pytest

from .fuzzing import cases, looked_at


def test_five_hundred_damaged_logs(tmp_path: Path) -> None:
    assert sum(bool(looked_at(path)) for _, path in cases(tmp_path, 500, seed=1)) == 500


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 3])
def test_five_thousand_damaged_logs(tmp_path: Path, seed: int) -> None:
    """Together 10,000; ``benchmarks/fuzz_logs.py`` tells what comes of them."""
    assert sum(bool(looked_at(path)) for _, path in cases(tmp_path, 5000, seed)) == 5000
