"""The document ``shindan/1`` as JSON."""

import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

from shindan.core.document import SCHEMA, Document
from shindan.core.finding import Diagnosed, Measure, Where
from shindan.core.text import Language
from shindan.report.reasons import told
from shindan.report.telling import word

Json = dict[str, Any]


def to_json(document: Document, language: Language) -> Json:
    """The document as plain JSON values; non-finite numbers are strings.

    Findings are told in the language; why a check was not run always in English.
    """
    return {
        "schema": SCHEMA,
        "verdict": document.verdict,
        "subjects": [
            {
                **plain(s.facts),
                **({"lost": [told(note, "en") for note in s.notes]} if s.notes else {}),
                **({"course": [told(said, language) for said in s.course]} if s.course else {}),
                "kind": s.kind,
                "name": s.name,
                "record": s.record,
            }
            for s in document.subjects
        ],
        "findings": [_finding(f, language) for f in document.findings],
        "not_run": [
            {"id": n.id, "because": told(n.because, "en"), **_subject(document, n.subject)}
            for n in document.not_run
        ],
        "failed": [
            {"what": f.what, "error": told(f.error, "en"), **_subject(document, f.subject)}
            for f in document.failed
        ],
    }


def _subject(document: Document, index: int) -> Json:
    """Which subject is meant, where there are several."""
    return {"subject": index} if len(document.subjects) > 1 else {}


def schema() -> Json:
    """The JSON Schema of the document."""
    text = resources.files(__package__).joinpath("shindan-1.schema.json")
    loaded: Json = json.loads(text.read_text(encoding="utf-8"))
    return loaded


def plain(measured: Mapping[str, Measure]) -> Json:
    """Measured numbers as JSON values."""
    return {key: _value(value) for key, value in measured.items()}


def _finding(finding: Diagnosed, language: Language) -> Json:
    wording = word(finding, language)
    return {
        "id": finding.id,
        "kind": finding.kind,
        "severity": finding.severity,
        "rank": finding.rank,
        "confidence": finding.confidence,
        "subject": finding.subject,
        "where": _where(finding.where),
        "measured": plain(finding.measured),
        "title": wording.title,
        "message": wording.message,
        "fix": wording.fix,
        "verify": wording.verify,
        "explains": list(finding.explains),
        "proof": None,
    }


def _where(where: Where) -> Json | None:
    place = {"file": where.file, "line": where.line, "module": where.module}
    return None if all(part is None for part in place.values()) else place


def _value(value: Measure) -> Any:
    if isinstance(value, tuple):
        return [_value(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
