"""Every format in both languages, held to a reviewed copy.

``SHINDAN_GOLDEN=write pytest tests/report`` writes them anew; read the diff before committing.
"""

import io
import json
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from shindan.core.document import Document
from shindan.core.text import LANGUAGES, Language
from shindan.report import html, jsondoc, markdown, sarif, terminal
from shindan.report.explain import explain
from shindan.report.view import View

from . import sample

GOLDEN = Path(__file__).parent / "golden"
SMALL = {"healthy": sample.HEALTHY, "noted": sample.NOTED, "inconclusive": sample.INCONCLUSIVE}


def console() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=80, force_terminal=False, color_system=None), stream


def on_terminal(view: View, language: Language) -> str:
    out, stream = console()
    terminal.render(view, language, out)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def hold(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("SHINDAN_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_terminal(language: Language) -> None:
    hold(f"sick.{language}.txt", on_terminal(sample.VIEW, language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "document"), SMALL.items())
def test_terminal_of_small_documents(name: str, document: Document, language: Language) -> None:
    hold(f"{name}.{language}.txt", on_terminal(View(document), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_html(language: Language) -> None:
    view = View(sample.SICK, sample.evidence(updates=100), sample.VIEW.sources)
    hold(f"sick.{language}.html", html.render(view, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_json(language: Language) -> None:
    hold(f"sick.{language}.json", as_text(jsondoc.to_json(sample.SICK, language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_sarif(language: Language) -> None:
    text = as_text(sarif.to_sarif(sample.VIEW, language))
    hold(f"sick.{language}.sarif", re.sub(r'"version": "\d+\.\d+\.\d+[^"]*",', "", text, count=2))


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown(language: Language) -> None:
    hold(f"sick.{language}.md", markdown.render(sample.VIEW, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_explain(language: Language) -> None:
    out, stream = console()
    explain("data/padding-in-loss", language, out)
    text = "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
    hold(f"explain.{language}.txt", text)
