"""What holds for every check, found by itself."""

import importlib
import string
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # noqa: F401 - the schema tests share the dependency

from shindan.core.check import Check
from shindan.core.example import Example
from shindan.core.finding import SEVERITIES, Diagnosed
from shindan.core.registry import checks
from shindan.core.text import LANGUAGES, page, tell

ALL = checks()
SECTIONS = {
    "en": ("Symptom", "Cause", "Evidence", "Fix", "Not a fault when", "References"),
    "ja": ("症状", "原因", "証拠", "対処", "異常でない場合", "参考"),
}


def examples(check: Check, name: str) -> tuple[Example, ...]:
    found = getattr(importlib.import_module(check.module), name)
    return (found,) if isinstance(found, Example) else tuple(found)


@pytest.mark.parametrize("check", ALL, ids=lambda c: c.id)
def test_sick_example_is_found_and_told(check: Check) -> None:
    sick = examples(check, "SICK")
    assert sick
    for example in sick:
        found = list(check(*example.evidence))
        assert len(found) == len(example.finds) > 0
        for finding, expected in zip(found, example.finds, strict=True):
            assert {k: finding.measured[k] for k in expected} == expected
            assert (finding.severity or check.severity) in SEVERITIES
            said = Diagnosed(
                check.id,
                check.kind,
                check.severity,
                check.grounds,
                1.0,
                finding.measured,
                finding.where,
                finding.variant,
            )
            for language in LANGUAGES:
                told = tell(check, said, language)
                assert all(vars(told).values()) if hasattr(told, "__dict__") else told


@pytest.mark.parametrize("check", ALL, ids=lambda c: c.id)
def test_healthy_example_is_silent(check: Check) -> None:
    healthy = examples(check, "HEALTHY")
    assert healthy
    for example in healthy:
        assert list(check(*example.evidence)) == []


@pytest.mark.parametrize("check", ALL, ids=lambda c: c.id)
def test_pages_are_twins(check: Check) -> None:
    pages = {language: page(check.module, language) for language in LANGUAGES}
    english = pages["en"].front
    assert {"title", "message", "fix", "verify"} <= set(english)
    for language, twin in pages.items():
        assert set(twin.front) == set(english)
        for key in english:
            assert _placeholders(twin.front[key]) == _placeholders(english[key]), (language, key)
        headings = [h[3:].strip() for h in twin.body.splitlines() if h.startswith("## ")]
        assert tuple(headings) == SECTIONS[language]
    assert _links(pages["en"].body) == _links(pages["ja"].body)


@pytest.mark.parametrize("check", ALL, ids=lambda c: c.id)
def test_id_is_the_place(check: Check) -> None:
    family, _, stem = check.id.partition("/")
    assert check.module == f"shindan.checks.{family}.{stem.replace('-', '_')}"
    assert check.faults or check.logs or check.pairings or check.preview or check.id in UNREPRODUCED


UNREPRODUCED: set[str] = set()


def test_ids_are_of_the_catalogue() -> None:
    catalogue = Path(__file__).parents[2] / ".." / "shared" / "FAULTS.md"
    if not catalogue.exists():
        pytest.skip("the catalogue is not beside this checkout")
    text = catalogue.read_text(encoding="utf-8")
    assert [c.id for c in ALL if f"`{c.id}`" not in text and c.id not in text] == []


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _links(body: str) -> set[str]:
    return {w.strip("`.,;()（）、。") for w in body.split() if "#" in w and "/" in w}
