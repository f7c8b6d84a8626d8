"""Markdown of pages and messages, as HTML and on a terminal."""

import functools
import re
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, Paragraph
from rich.syntax import Syntax

from shindan.report.wrap import wide, wrap

END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z`])|(?<=。)|\n\n")
"""Where a first sentence ends."""


@functools.cache
def parser(message: bool) -> MarkdownIt:
    """Markdown as the pages use it: no raw HTML, no images (a report loads nothing).

    A ``message`` has measured names in it (``__init__``, ``*.bias``): it knows no emphasis.
    """
    own = MarkdownIt("js-default").disable("image")
    if message:
        own.disable(["emphasis", "link", "strikethrough", "lheading", "heading", "table"])
    own.core.ruler.push("join_wide", _join_wide)
    return own


def to_html(text: str, heading: int) -> Markup:
    """A page as HTML, its headings starting at ``<h{heading}>``."""
    tokens = parser(message=False).parse(text)
    levels = [int(t.tag[1]) for t in tokens if t.type == "heading_open"]
    shift = heading - min(levels, default=heading)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + shift)}"
    return _render(tokens, message=False)


def message_html(text: str) -> Markup:
    """A message or a fix as HTML."""
    return _render(parser(message=True).parse(text), message=True)


def inline_html(text: str) -> Markup:
    """A title as HTML without a paragraph round it."""
    return Markup(parser(message=True).renderInline(text).strip())


def plain(text: str) -> str:
    """A message without its code marks, on one line."""
    return re.sub(r"\s+", " ", text.replace("`", "")).strip()


def first_sentence(text: str) -> str:
    """The first sentence of a message, for lists."""
    return END.split(text.strip(), maxsplit=1)[0].strip()


class _Paragraph(Paragraph):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield wrap(self.text, options.max_width)


class _Heading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.stylize("bold")
        yield wrap(self.text, options.max_width)


class _CodeBlock(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        theme = "ansi_dark"
        yield Syntax(code, self.lexer_name, theme=theme, background_color="default", word_wrap=True)


class Prose(Markdown):
    """Markdown on a terminal, lines broken as Japanese wants it."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "paragraph_open": _Paragraph,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
    }

    def __init__(self, text: str, message: bool = True) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = text
        self.parsed = parser(message).parse(text)


def _render(tokens: list[Token], message: bool) -> Markup:
    own = parser(message)
    return Markup(own.renderer.render(tokens, own.options, {}))


def _join_wide(state: StateCore) -> None:
    """Drop the space a line end would put between two wide characters."""
    for token in state.tokens:
        children = token.children or []
        for before, gap, after in zip(children, children[1:], children[2:], strict=False):
            if gap.type == "softbreak" and _meet(before.content, after.content):
                gap.type, gap.content = "text", ""


def _meet(before: str, after: str) -> bool:
    return bool(before and after) and wide(before[-1]) and wide(after[0])
