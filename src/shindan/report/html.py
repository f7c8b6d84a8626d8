"""The report as one HTML page that loads nothing: no script, no font, no image from elsewhere."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from shindan.core.evidence.curve import FixedBatch, FixedPoint, Prediction
from shindan.core.evidence.pairs import Comparison
from shindan.core.text import Language
from shindan.report import prose
from shindan.report.about import about, files, names
from shindan.report.board import Board
from shindan.report.boards import boards
from shindan.report.figures import Figure, figures
from shindan.report.numbers import number
from shindan.report.outline import Outline, outline
from shindan.report.terminal import headline, not_run
from shindan.report.view import View
from shindan.report.words import Words, words

PREDICTIONS = 16
"""Rows of the table of predictions."""


@dataclass(frozen=True)
class Part:
    """One document of a page; ``level`` is that of its section headings."""

    prefix: str
    heading: str
    intro: Markup
    headline: str
    files: tuple[str, ...]
    not_run: str
    outline: Outline
    figures: tuple[Figure, ...]
    predictions: tuple[Prediction, ...]
    fixed: FixedPoint | None
    boards: tuple[Board, ...]
    level: int


def render(view: View, language: Language) -> str:
    """The page of one document."""
    say = words(language)
    title = say("page_title", names=names(view.document.subjects))
    return _page(title, (_part("", "", "", view, say, level=2),), say)


def render_many(title: str, parts: Sequence[tuple[str, str, View]], language: Language) -> str:
    """One page of several documents, each a (heading, introduction in Markdown, view).

    The page opens with a table of what was found.
    """
    say = words(language)
    made = tuple(
        _part(f"p{i}-", heading, intro, view, say, level=3)
        for i, (heading, intro, view) in enumerate(parts, 1)
    )
    return _page(title, made, say)


def _part(prefix: str, heading: str, intro: str, view: View, say: Words, level: int) -> Part:
    report = outline(view, say.language, prefix)
    fixed, comparison = view.get(FixedBatch), view.get(Comparison)
    return Part(
        prefix=prefix,
        heading=heading,
        intro=prose.to_html(intro, heading=level),
        headline=headline(report, say),
        files=tuple(" ".join(told) for told in files(view.document, say).values()),
        not_run=not_run(report, say),
        outline=report,
        figures=figures(view, say),
        predictions=fixed.predictions[:PREDICTIONS] if fixed else (),
        fixed=fixed.points[-1] if fixed and fixed.points else None,
        boards=boards(comparison, say) if comparison else (),
        level=level,
    )


def _page(title: str, parts: tuple[Part, ...], say: Words) -> str:
    template = _environment().get_template("page.html")
    return template.render(title=title, parts=parts, w=say, facts=about) + "\n"


@functools.cache
def _environment() -> Environment:
    own = Environment(
        loader=PackageLoader("shindan.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    own.filters.update(
        inline=prose.inline_html, message=prose.message_html, page=prose.to_html,
        sentence=prose.first_sentence, number=number, visible=visible,
    )  # fmt: skip
    return own


def visible(token: str) -> str:
    """A token's text with its spaces and line ends shown."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"
