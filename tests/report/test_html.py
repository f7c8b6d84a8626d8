import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from shindan.core.evidence.curve import Curve, FixedBatch, LayerPicture
from shindan.core.text import LANGUAGES, Language
from shindan.report import html
from shindan.report.view import View

from . import sample

VOID = {"meta", "br", "hr", "img", "link", "input", "circle", "path"}
PARTS = [
    ("First <report>", "A *sick* run, with `code`.", sample.VIEW),
    ("Second", "", View(sample.HEALTHY)),
    ("Third", "", View(sample.INCONCLUSIVE)),
]


class Page(HTMLParser):
    """Holds a page to account: tags closed, ids once, headings in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.loads: list[str] = []
        self.headings: list[int] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        self.targets += given.get("aria-labelledby", "").split()
        if given.get("href", "").startswith("#"):
            self.targets.append(given["href"][1:])
        elif tag != "a" and "href" in given:
            self.loads.append(given["href"])
        if "src" in given:
            self.loads.append(given["src"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, tag

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def pages() -> list[tuple[str, str]]:
    made = []
    for language in LANGUAGES:
        made += [
            (f"sick-{language}", html.render(sample.VIEW, language)),
            (f"healthy-{language}", html.render(View(sample.HEALTHY), language)),
            (f"inconclusive-{language}", html.render(View(sample.INCONCLUSIVE), language)),
            (f"many-{language}", html.render_many("Five", PARTS, language)),
        ]
    return made


def test_pages_are_well_formed_and_load_nothing() -> None:
    for name, text in pages():
        page = Page(text)
        assert page.open == [], name
        assert len(page.ids) == len(set(page.ids)), name
        assert set(page.targets) <= set(page.ids), name
        assert page.loads == [], name
        assert not re.search(r"url\(|@import|<script|<link", text), name


def test_headings_are_in_order_and_landmarks_are_there() -> None:
    for name, text in pages():
        page = Page(text)
        assert page.headings[0] == 1, name
        assert page.headings.count(1) == 1, name
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), name
        assert [page.tags.count(t) for t in ("header", "main", "footer")] == [1, 1, 1], name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_is_declared_and_figures_have_words(language: Language) -> None:
    text = html.render(sample.VIEW, language)
    assert f'<html lang="{language}">' in text
    assert text.count('role="img"') == len(re.findall(r'<desc id="\w+">[^<]', text)) == 4


def test_evidence_that_is_not_there_leaves_no_section() -> None:
    bare = html.render(View(sample.SICK), "en")
    assert "<figure" not in bare.replace('<figure class="source">', "")
    assert "Predictions" not in bare
    for kind, words in ((Curve, "Learning rate"), (LayerPicture, "Activations by module")):
        kept = {k: v for k, v in sample.VIEW.evidence.items() if k is not kind}
        assert words in html.render(sample.VIEW, "en")
        assert words not in html.render(replace(sample.VIEW, evidence=kept), "en")


def test_what_runs_say_is_escaped() -> None:
    source = ("<script>alert(1)</script>",) * 5
    findings = (replace(sample.DECAY, measured={"count": 1, "first": "<img src=x onerror=y>"}),)
    view = View(replace(sample.SICK, findings=findings), sources={"train.py": source})
    where = replace(sample.PADDING.where, line=2)
    both = replace(view.document, findings=(*findings, replace(sample.PADDING, where=where)))
    text = html.render(replace(view, document=both), "en")
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


def test_many_opens_with_what_was_found() -> None:
    text = html.render_many("Five field reports", PARTS, "en")
    table = text[text.index("<table") : text.index("</table>")]
    assert table.count("<tr>") == 1 + len(PARTS)
    assert "Padding counts as a label" in table
    assert "First &lt;report&gt;" in table
    assert text.index("</table>") < text.index("<main>")


def test_the_page_of_a_fault_is_inside_with_its_table() -> None:
    text = html.render(sample.VIEW, "en")
    assert "<th>padding</th>" in text
    assert '<a href="https://github.com/EleutherAI/gpt-neo/issues/45">' in text


def test_japanese_line_ends_make_no_spaces() -> None:
    assert "長くするほどさらに下がります" in html.render(sample.VIEW, "ja")


def test_evidence_of_a_broken_run_is_drawn() -> None:
    points = tuple(
        replace(p, loss=math.nan)
        for p in sample.VIEW.evidence[FixedBatch].points  # type: ignore[attr-defined]
    )
    curve = sample.VIEW.evidence[Curve]
    assert isinstance(curve, Curve)
    micro = tuple(replace(m, ce=None, loss=math.inf) for m in curve.micro)
    evidence = {Curve: replace(curve, micro=micro), FixedBatch: FixedBatch(points)}
    text = html.render(View(sample.SICK, evidence), "en")
    assert "nan" not in re.sub(r"<td>nan</td>", "", text)
    assert Page(text).open == []


def test_tokens_show_their_spaces() -> None:
    assert html.visible(" the\n") == "␣the⏎"
    assert html.visible("") == "∅"
