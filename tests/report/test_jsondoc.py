import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from shindan.core.check import Check
from shindan.core.document import Document
from shindan.core.finding import Measure, Subject
from shindan.core.text import LANGUAGES, Language
from shindan.report.jsondoc import schema, to_json

from . import sample

VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "document", [sample.SICK, sample.HEALTHY, sample.NOTED, sample.INCONCLUSIVE]
)
def test_documents_follow_the_schema(document: Document, language: Language) -> None:
    VALIDATOR.validate(json.loads(json.dumps(to_json(document, language), allow_nan=False)))


def test_non_finite_numbers_are_strings() -> None:
    measured: dict[str, Measure] = {"a": math.nan, "b": math.inf, "c": (-math.inf, 1.5, "x")}
    document = replace(sample.SICK, findings=(replace(sample.SAME, measured=measured),))
    told = to_json(document, "en")["findings"][0]
    assert told["measured"] == {"a": "nan", "b": "inf", "c": ["-inf", 1.5, "x"]}
    VALIDATOR.validate(to_json(document, "en"))


def test_facts_stand_beside_kind_name_and_record_and_never_replace_them() -> None:
    subject = Subject("log", "train.log", None, {"updates": 3, "name": "other"})
    told = to_json(replace(sample.HEALTHY, subjects=(subject,)), "en")["subjects"]
    assert told == [{"kind": "log", "name": "train.log", "record": None, "updates": 3}]


def test_where_is_null_when_nothing_is_known() -> None:
    findings = to_json(sample.SICK, "en")["findings"]
    assert findings[0]["where"] == {"file": "train.py", "line": 4, "module": None}
    assert findings[3]["where"] is None


def test_a_page_that_cannot_be_used_does_not_stop_the_report() -> None:
    missing = replace(sample.SAME, id="symptom/never-written")
    unfilled = replace(sample.FLAT, measured={"updates": 3})
    document = replace(sample.SICK, findings=(missing, unfilled))
    told = to_json(document, "en")["findings"]
    assert [t["title"] for t in told] == ["symptom/never-written", "symptom/loss-flat"]
    assert told[1]["message"] == "updates = 3"
    VALIDATOR.validate(to_json(document, "en"))


def test_a_variant_has_its_own_message() -> None:
    finding = replace(sample.PADDING, variant="mask", measured={"count": 7})
    told = to_json(replace(sample.SICK, findings=(finding,)), "en")["findings"][0]
    assert told["message"] == "The attention mask says padding where 7 labels count."


@pytest.mark.parametrize(
    "spoil",
    [
        {"verdict": "fine"},
        {"schema": "shindan/2"},
        {"more": 1},
        {"findings": [{"id": "data/padding-in-loss"}]},
        {"not_run": [{"id": "no-family", "because": ""}]},
    ],
)
def test_the_schema_is_strict(spoil: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**to_json(sample.SICK, "en"), **spoil})


def test_the_sample_is_what_is_rendered() -> None:
    ids: set[str] = {check.id for check in sample.CHECKS if isinstance(check, Check)}
    assert {f.id for f in sample.SICK.findings} == ids
