import pytest

from shindan.core import registry

from . import sample


@pytest.fixture(autouse=True)
def sample_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry holds the sample's checks and nothing else."""
    monkeypatch.setattr(registry, "checks", lambda: sample.CHECKS)
