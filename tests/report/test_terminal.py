import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from shindan.core.document import Document
from shindan.core.finding import NotRun, Subject
from shindan.core.text import LANGUAGES, Language
from shindan.report import terminal
from shindan.report.outline import outline
from shindan.report.view import View
from shindan.report.wrap import NOT_FIRST, wrap

from . import sample

LONG = "/very/long/" + "path/" * 40 + "学習スクリプト.py"


def printed(view: View, language: Language, width: int, **options: bool) -> str:
    stream = io.StringIO()
    terminal.render(view, language, Console(file=stream, width=width, **options))  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(language: Language, width: int) -> None:
    where = replace(sample.PADDING.where, file=LONG, module="encoder." * 30)
    document = replace(sample.SICK, findings=(replace(sample.PADDING, where=where), sample.SAME))
    for view in (sample.VIEW, View(document, sources={LONG: ("損失 = 計算(" * 30,) * 5})):
        lines = printed(view, language, width).splitlines()
        assert max(map(cell_len, lines)) <= width


def test_japanese_lines_do_not_begin_with_a_full_stop() -> None:
    text = Text("損失が下がらない。学習率を確かめる。" * 20)
    for width in range(10, 80):
        lines = wrap(text, width).plain.split("\n")
        assert "".join(lines) == text.plain
        assert not {line[0] for line in lines} & NOT_FIRST
        assert max(map(cell_len, lines)) <= width


def test_wrap_keeps_styles_and_words() -> None:
    text = Text.assemble(("bold ", "bold"), "plain words here")
    wrapped = wrap(text, 10)
    assert wrapped.plain.split("\n") == ["bold plain", "words here"]
    assert wrapped.spans[0].style == "bold"


def test_a_healthy_run_is_quiet() -> None:
    lines = printed(View(sample.HEALTHY), "en", 80).splitlines()
    assert lines[1:] == [
        "Healthy: nothing found that matters.",
        "2 checks could not be run: the batches looked at have a single row (2).",
    ]


def test_an_unexplained_symptom_says_so() -> None:
    text = printed(sample.VIEW, "en", 80)
    assert text.count("No cause was found for this.") == 1


def test_measured_is_shown_only_where_the_message_leaves_it_out() -> None:
    first, second, *_ = outline(sample.VIEW, "en").entries
    assert [name for name, _ in first.unsaid] == ["labels of a batch, three of them"]
    assert [name for name, _ in second.unsaid] == ["loss scale", "cosine with the true gradient"]


def test_changes_are_ordered_and_gathered() -> None:
    twice = replace(sample.PADDING, subject=1, where=replace(sample.PADDING.where, line=9))
    noted = replace(sample.DECAY, severity="info")
    document = replace(sample.SICK, findings=(sample.PADDING, sample.CLIP, twice, noted))
    changes = outline(View(document), "en").changes
    assert [[e.place for e in c.entries] for c in changes] == [
        ["train.py:4", "train.py:9"],
        ["train.py:6"],
    ]


def test_a_cause_explains_symptoms_of_its_own_run_only() -> None:
    other = replace(sample.FLAT, subject=1)
    subjects = (Subject("run", "a.py"), Subject("run", "b.py"))
    report = outline(View(Document("sick", subjects, (sample.PADDING, sample.FLAT, other))), "en")
    own, foreign = report.symptoms
    assert (own.unexplained, foreign.unexplained) == (False, True)
    assert foreign.subject == "b.py"


def test_the_same_cause_in_two_places_is_named_once_to_its_symptom() -> None:
    twice = replace(sample.PADDING, where=replace(sample.PADDING.where, line=9))
    report = outline(
        View(replace(sample.SICK, findings=(sample.PADDING, twice, sample.FLAT))), "en"
    )
    assert [ref.anchor for ref in report.symptoms[0].links] == ["f1"]


def test_reasons_are_grouped_commonest_first() -> None:
    skipped = (NotRun("a/a", "rare"), NotRun("a/b", "common"), NotRun("a/c", "common"))
    report = outline(View(Document("healthy", (), not_run=skipped)), "en")
    assert [(r.because, r.ids) for r in report.reasons] == [
        ("common", ("a/b", "a/c")),
        ("rare", ("a/a",)),
    ]


def test_markup_in_names_is_printed_as_it_is() -> None:
    document = Document("healthy", (Subject("run", "[bold]train[/].py"),))
    assert "[bold]train[/].py" in printed(View(document), "en", 80, force_terminal=True)
