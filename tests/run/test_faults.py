"""The fault matrix: each check fires on a healthy patient with its one hunk replaced."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from shindan.core.registry import checks
from tests.run.patients import examined, source

FAULTS = [(c.id, i, e) for c in checks() for i, e in enumerate(c.faults)]


def name_of(id: str, number: int, edit: Edit) -> str:
    """The row of the matrix."""
    return f"{id} #{number} {edit.script}"


@pytest.mark.parametrize(("id", "number", "edit"), FAULTS, ids=[name_of(*f) for f in FAULTS])
def test_fault_is_found(id: str, number: int, edit: Edit, tmp_path: Path) -> None:
    document = examined(source(edit), edit.script, tmp_path)
    assert not document.failed
    found = [f"{f.severity} {f.id}" for f in document.findings]
    assert id in [f.id for f in document.findings], found
