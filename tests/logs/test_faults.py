"""Every check of logs fires on a healthy log with its fault in it, and on no healthy log."""

from pathlib import Path

import pytest

from shindan.core.check import Check, Rewrite
from shindan.core.registry import checks
from shindan.diagnose.logs import examine

from .healthy import MAKERS, rewritten, write

FAULTS = [(c, f) for c in checks() for f in c.logs]


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_is_said_of_a_healthy_log(name: str, tmp_path: Path) -> None:
    document = examine([write(name, MAKERS[name](), tmp_path)], {}).document
    assert document.findings == ()
    assert document.failed == ()
    assert document.verdict == "healthy"


@pytest.mark.parametrize(("check", "fault"), FAULTS, ids=lambda x: getattr(x, "id", ""))
def test_the_fault_is_found(check: Check, fault: Rewrite, tmp_path: Path) -> None:
    rows = rewritten(MAKERS[fault.log](), fault)
    document = examine([write(fault.log, rows, tmp_path)], {}).document
    assert check.id in {f.id for f in document.findings}
    assert document.failed == ()
