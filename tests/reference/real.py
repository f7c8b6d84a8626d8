"""Real data beside the project; a user's clone has none."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def real(name: str) -> Path:
    """The path of a real file or folder; where it is absent, the test is skipped and says so."""
    if not (DATA / name).exists():
        pytest.skip(f"no ../shared/data/{name} here")
    return DATA / name
