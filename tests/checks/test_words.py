"""Measured numbers and values that are words read well in both languages."""

import string
from collections.abc import Iterator

import pytest

from shindan.core.check import Check
from shindan.core.finding import Finding, Measure
from shindan.core.registry import checks
from shindan.core.text import LANGUAGES, page
from shindan.report.terms import rows, worded
from shindan.report.words import sheet

from .test_every_check import examples

NAMES = {
    "after", "before", "column", "differ", "dtype", "embedding", "error", "evaluation",
    "first", "format",
    "head", "hints", "how",
    "key", "kind", "loss", "mask", "model", "module", "name", "names", "operation", "optimizer",
    "option", "other", "prefix_given", "prefix_wanted", "relation", "rerun", "root", "run_a",
    "run_b", "run_large", "run_small", "sampler", "scheduler",
    "setting", "shape", "state", "table", "teacher", "text", "tokens_a",
    "tokens_b", "train", "weight",
}  # fmt: skip
"""Measured values that are names of the run's own: they stay as they are in every language."""


def findings(check: Check) -> Iterator[Finding]:
    for example in examples(check, "SICK"):
        yield from check(*example.evidence)


def texts(value: Measure) -> Iterator[str]:
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str):
            yield item


@pytest.mark.parametrize("check", checks(), ids=lambda c: c.id)
def test_every_measured_number_has_a_name(check: Check) -> None:
    """Add it to ``report/terms.*.yaml``, or as ``name_<key>`` to the two pages of the check."""
    for language in LANGUAGES:
        own = page(check.module, language).front
        known = set(sheet("terms", language)["names"]) | {
            key.removeprefix("name_") for key in own if key.startswith("name_")
        }
        for finding in findings(check):
            assert set(finding.measured) <= known, language


@pytest.mark.parametrize("check", checks(), ids=lambda c: c.id)
def test_values_that_are_words_are_in_the_vocabulary(check: Check) -> None:
    """Add them to ``values`` of ``report/terms.*.yaml``, or names of the run's to NAMES."""
    values = sheet("terms", "en")["values"]
    for finding in findings(check):
        said = {(k, text) for k, v in finding.measured.items() for text in texts(v)}
        raw = {(k, text) for k, text in said if text not in values.get(k, {})}
        assert {k for k, text in raw if text} <= NAMES


@pytest.mark.parametrize("check", checks(), ids=lambda c: c.id)
def test_no_name_of_a_page_is_left_over(check: Check) -> None:
    own = {k for k in page(check.module, "en").front if k.startswith("name_")}
    assert own <= {f"name_{key}" for finding in findings(check) for key in finding.measured}


def test_the_glossary_is_whole_and_used() -> None:
    english, japanese = sheet("terms", "en"), sheet("terms", "ja")
    used = {key for check in checks() for finding in findings(check) for key in finding.measured}
    assert set(english["names"]) == set(japanese["names"])
    assert set(english["names"]) - used == {"also"}  # of several pairs, which share a fault
    assert {k: set(v) for k, v in english["values"].items()} == {
        k: set(v) for k, v in japanese["values"].items()
    }
    assert set(english["values"]) <= used


def test_words_are_put_in() -> None:
    measured: dict[str, Measure] = {"side": "right", "pad_id": 0, "mask": "right"}
    assert worded(measured, "ja") == {"side": "右", "pad_id": 0, "mask": "right"}
    assert rows(measured, "ja")[0] == ("パディングの側", "右")
    assert rows({"side": 1, "new_key": 2}, "ja", {"name_side": "側"}) == (
        ("側", "1"),
        ("new key", "2"),
    )


def test_templates_format_no_words_as_numbers() -> None:
    """A value of the vocabulary is text: its placeholder has no format."""
    values = sheet("terms", "en")["values"]
    for check in checks():
        for language in LANGUAGES:
            for template in page(check.module, language).front.values():
                for _, name, spec, _ in string.Formatter().parse(template):
                    assert not (name in values and spec), check.id
