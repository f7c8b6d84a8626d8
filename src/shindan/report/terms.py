"""Measured numbers by name, and values that are words, for people: ``terms.<language>.yaml``."""

from collections.abc import Mapping

from shindan.core.finding import Measure
from shindan.core.text import Language
from shindan.report.numbers import measure
from shindan.report.words import sheet


def rows(
    measured: Mapping[str, Measure], language: Language, front: Mapping[str, str] | None = None
) -> tuple[tuple[str, str], ...]:
    """Names and values in words; a page's own ``name_<key>`` comes before the glossary."""
    own = front or {}
    names = sheet("terms", language)["names"]
    return tuple(
        (own.get(f"name_{key}") or names.get(key) or key.replace("_", " "), measure(value))
        for key, value in worded(measured, language).items()
    )


def worded(measured: Mapping[str, Measure], language: Language) -> dict[str, Measure]:
    """The same with values that are words put into the language; names of things stay."""
    values: Mapping[str, Mapping[str, str]] = sheet("terms", language)["values"]
    return {key: _worded(value, values.get(key, {})) for key, value in measured.items()}


def _worded(value: Measure, known: Mapping[str, str]) -> Measure:
    if isinstance(value, tuple):
        return tuple(known.get(v, v) if isinstance(v, str) else v for v in value)
    return known.get(value, value) if isinstance(value, str) else value
