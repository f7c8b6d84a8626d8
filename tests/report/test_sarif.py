from dataclasses import replace
from pathlib import Path

import pytest

from shindan.core.finding import Severity, Where
from shindan.report.sarif import to_sarif
from shindan.report.view import View

from . import sample


def test_a_result_per_finding_and_a_rule_per_id() -> None:
    twice = replace(sample.SICK, findings=(*sample.SICK.findings, sample.SAME))
    run = to_sarif(View(twice), "en")["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == sorted({f.id for f in sample.SICK.findings})
    assert [r["ruleId"] for r in run["results"]] == [f.id for f in twice.findings]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "error"), ("major", "error"), ("minor", "warning"), ("info", "note")],
)
def test_levels(severity: Severity, level: str) -> None:
    document = replace(sample.SICK, findings=(replace(sample.DECAY, severity=severity),))
    assert to_sarif(View(document), "en")["runs"][0]["results"][0]["level"] == level


def test_places_are_relative_uris(tmp_path: Path) -> None:
    wheres = (
        Where(str(tmp_path / "my code" / "train.py"), 3),
        Where("/elsewhere/lib.py"),
        Where(module="encoder"),
        Where(),
    )
    findings = tuple(replace(sample.SAME, where=where) for where in wheres)
    log = to_sarif(View(replace(sample.SICK, findings=findings), root=str(tmp_path)), "en")
    assert [r["locations"] for r in log["runs"][0]["results"]] == [
        [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "my%20code/train.py"},
                    "region": {"startLine": 3},
                }
            }
        ],
        [{"physicalLocation": {"artifactLocation": {"uri": "file:///elsewhere/lib.py"}}}],
        [{"logicalLocations": [{"fullyQualifiedName": "encoder", "kind": "module"}]}],
        [],
    ]
