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
    """Front matter (title, message, fix, verify, each as ``<key>_<variant>`` too) and sections."""

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
    said = {
        key: fill(front.get(f"{key}_{finding.variant}") or front[key], finding.measured)
        for key in ("title", "message", "fix", "verify")
    }
    return Told(**said)


def fill(template: str, measured: Mapping[str, Measure]) -> str:
    """``str.format`` over the measured numbers; tuples are joined by commas."""
    return template.format_map(
        {k: ", ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in measured.items()}
    ).strip()
