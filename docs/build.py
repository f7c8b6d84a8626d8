"""Build the pages of all checks, in both languages, into ``docs/_build``.

    python docs/build.py

A page's example is a test: below each page stands what the check says to its own SICK evidence.
"""

import html
import importlib
from pathlib import Path

from markdown_it import MarkdownIt

from shindan.core.check import Check
from shindan.core.example import Example
from shindan.core.finding import Diagnosed
from shindan.core.registry import checks
from shindan.core.text import LANGUAGES, Language, page, tell

OUT = Path(__file__).parent / "_build"
STYLE = "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:16px/1.6 system-ui,sans-serif}"


def said(check: Check, language: Language) -> list[str]:
    """What the check says to each of its SICK examples."""
    held = importlib.import_module(check.module).SICK
    lines = []
    for example in (held,) if isinstance(held, Example) else held:
        for f in check(*example.evidence):
            finding = Diagnosed(
                check.id,
                check.kind,
                f.severity or check.severity,
                check.grounds,
                1.0,
                f.measured,
                f.where,
                f.variant,
            )
            lines.append(tell(check, finding, language).message)
    return lines


def document(title: str, body: str, language: Language) -> str:
    """A whole HTML page."""
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{STYLE}</style><main>{body}</main></html>\n"
    )


def build() -> int:
    """Write everything; returns the number of pages."""
    markdown = MarkdownIt()
    for language in LANGUAGES:
        index = []
        for check in checks():
            held = page(check.module, language)
            examples = "".join(
                f"<blockquote>{html.escape(s)}</blockquote>" for s in said(check, language)
            )
            body = f"<h1>{html.escape(check.id)}</h1>{markdown.render(held.body)}{examples}"
            path = OUT / language / f"{check.id}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document(check.id, body, language), encoding="utf-8")
            index.append(f'<li><a href="{check.id}.html">{check.id}</a> ({check.severity})</li>')
        home = document("Shindan", f"<h1>Shindan</h1><ul>{''.join(index)}</ul>", language)
        (OUT / language / "index.html").write_text(home, encoding="utf-8")
    return len(checks())


if __name__ == "__main__":
    print(f"{build()} pages in {', '.join(LANGUAGES)} under {OUT}")
