"""The fault matrix: each check fires on a healthy patient with its one hunk replaced."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run import matrix
from tests.run.patients import examined, source


@pytest.mark.parametrize(
    ("id", "number", "edit"), matrix.FAULTS, ids=[matrix.name_of(*f) for f in matrix.FAULTS]
)
def test_fault_is_found(id: str, number: int, edit: Edit, tmp_path: Path) -> None:
    document = examined(source(edit), edit.script, tmp_path)
    assert not document.failed
    found = [f"{f.severity} {f.id}" for f in document.findings]
    assert id in [f.id for f in document.findings], found
    matrix.hold(matrix.name_of(id, number, edit), document)


def test_every_run_has_its_row() -> None:
    assert list(matrix.read(matrix.MATRIX.read_text(encoding="utf-8"))) == matrix.rows()


def test_a_marked_line_may_be_missing_and_stays() -> None:
    before = ["? minor symptom/a", "major data/b"]
    assert matrix._merged(["major data/b"], before) == before
    assert matrix._merged(["minor symptom/a", "major data/c"], before) == [
        "? minor symptom/a",
        "major data/c",
    ]
