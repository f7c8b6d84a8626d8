"""The prose of a check: its two Markdown pages, and messages rendered from measured numbers."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml

from shindan.core.check import Check
from shindan.core.finding import Diagnosed, Measure

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


@dataclass(frozen=True)
class Page:
    """Front matter (title, message, message_<variant>, fix, verify) and the body's sections."""

    front: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Told:
    """A finding in words."""

    title: str
    message: str
    fix: str
    verify: str


@functools.cache
def page(module: str, language: Language) -> Page:
    """The page beside the check module, e.g. ``shindan.checks.data.duplicates``."""
    package, _, stem = module.rpartition(".")
    text = resources.files(package).joinpath(f"{stem}.{language}.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return Page(yaml.safe_load(front), body.strip())


def tell(check: Check, finding: Diagnosed, language: Language) -> Told:
    """The words for one finding of this check."""
    front = page(check.module, language).front
    message = front.get(f"message_{finding.variant}") if finding.variant else None
    return Told(
        title=fill(front["title"], finding.measured),
        message=fill(message or front["message"], finding.measured),
        fix=fill(front["fix"], finding.measured),
        verify=fill(front["verify"], finding.measured),
    )


def fill(template: str, measured: Mapping[str, Measure]) -> str:
    """``str.format`` over the measured numbers; tuples are joined by commas."""
    return template.format_map(
        {k: ", ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in measured.items()}
    ).strip()
