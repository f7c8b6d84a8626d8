"""Silence is a result: every check is silent on every unedited patient."""

from pathlib import Path

import pytest

from tests.run import matrix
from tests.run.patients import FRAMEWORKS, PATIENTS, examined, names


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in FRAMEWORKS else ()) for n in names()],
)
def test_healthy_patient_is_silent(name: str, tmp_path: Path) -> None:
    text = (PATIENTS / f"{name}.py").read_text(encoding="utf-8")
    document = examined(text, name, tmp_path)
    assert not document.failed
    assert [(f.id, f.severity, dict(f.measured)) for f in document.findings] == []
    assert document.verdict == "healthy"
    matrix.hold(name, document)
