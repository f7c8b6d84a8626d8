"""The findings as SARIF 2.1.0, for tools that show results beside the code."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from shindan.core.finding import Severity
from shindan.core.text import Language
from shindan.report import prose
from shindan.report.jsondoc import plain
from shindan.report.outline import Entry, outline
from shindan.report.view import View

Json = dict[str, Any]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: dict[Severity, str] = {
    "critical": "error",
    "major": "error",
    "minor": "warning",
    "info": "note",
}


def to_sarif(view: View, language: Language) -> Json:
    """The document as a SARIF log of one run; places are relative to the view's root."""
    report = outline(view, language, every=True)
    rules = {entry.finding.id: entry for entry in reversed(report.entries)}
    ids = sorted(rules)
    notes = [
        {"level": "error", "message": {"text": f"{failure.what}: {failure.error}"}}
        for failure in report.failed
    ]
    driver = {
        "name": "Shindan",
        "version": metadata.version("shindan"),
        "rules": [_rule(rules[id]) for id in ids],
    }
    run: Json = {
        "tool": {"driver": driver},
        "language": language,
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(entry, ids, view) for entry in report.entries],
        "properties": {"verdict": report.verdict},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(entry: Entry) -> Json:
    wording = entry.wording
    rule: Json = {
        "id": entry.finding.id,
        "shortDescription": {"text": prose.plain(wording.title)},
        "defaultConfiguration": {"level": LEVELS[entry.finding.severity]},
    }
    if wording.body:
        rule["help"] = {"text": wording.body, "markdown": wording.body}
    return rule


def _result(entry: Entry, ids: list[str], view: View) -> Json:
    finding, wording = entry.finding, entry.wording
    told = [wording.title, wording.message, wording.fix]
    return {
        "ruleId": finding.id,
        "ruleIndex": ids.index(finding.id),
        "kind": "fail",
        "level": LEVELS[finding.severity],
        "message": {
            "text": "\n".join(prose.plain(part) for part in told if part),
            "markdown": "\n\n".join(part for part in told if part),
        },
        "locations": list(_locations(entry, view)),
        "properties": {
            "kind": finding.kind,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "subject": finding.subject,
            "explains": list(finding.explains),
            "measured": plain(finding.measured),
        },
    }


def _locations(entry: Entry, view: View) -> Iterable[Json]:
    """One location with what is known of it; nothing when nothing is."""
    where = entry.finding.where
    location: Json = {}
    if where.file is not None:
        physical: Json = {"artifactLocation": {"uri": _uri(view.relative(where.file))}}
        if where.line is not None:
            physical["region"] = {"startLine": where.line}
        location["physicalLocation"] = physical
    if where.module is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": where.module, "kind": "module"}]
    if location:
        yield location


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
