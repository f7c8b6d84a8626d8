import io
import re
import string
from pathlib import Path

import pytest
from rich.console import Console

from shindan.core.errors import ShindanError
from shindan.core.finding import KINDS, SEVERITIES
from shindan.report import prose
from shindan.report.explain import explain
from shindan.report.numbers import measure
from shindan.report.reasons import told
from shindan.report.view import View, read_sources
from shindan.report.words import language, words

from . import sample

ROOM = Path(prose.__file__).parent


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things() -> None:
    english, japanese = words("en").table, words("ja").table
    assert english.keys() == japanese.keys()
    for key, text in english.items():
        if not key.endswith("_one"):
            assert fields(text) == fields(japanese[key]), key


def test_japanese_is_japanese() -> None:
    same = {k for k, v in words("ja").table.items() if not re.search(r"[ぁ-ヶ一-龠]", v)}
    assert same == {
        "axis_rms", "not_run_why", "between", "measured", "chart_of", "by_clock", "give_or_take",
    }  # fmt: skip


def test_no_string_is_left_unused() -> None:
    files = [*ROOM.glob("*.py"), *ROOM.glob("templates/*")]
    source = "".join(f.read_text(encoding="utf-8") for f in files)
    made = re.compile(
        r"(verdict|says|kind|severity|grounds|section|rule|explained|what|unit|fact|log|known|spent|reading|of|cause|clock|fits|law)_\w+|\w+_one"
    )
    unused = {k for k in words("en").table if f'"{k}"' not in source and not made.fullmatch(k)}
    assert unused == set()
    told = {f"kind_{k}" for k in KINDS} | {f"severity_{s}" for s in SEVERITIES}
    assert told <= words("en").table.keys()


@pytest.mark.parametrize(
    ("option", "env", "spoken"),
    [
        ("ja", {}, "ja"),
        ("en", {"SHINDAN_LANG": "ja"}, "en"),
        (None, {"SHINDAN_LANG": "ja", "LANG": "en_US.UTF-8"}, "ja"),
        (None, {"SHINDAN_LANG": "fr", "LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "ja_JP", "LANG": "en_US"}, "ja"),
        (None, {"LANG": "ja_JP.eucJP"}, "ja"),
        (None, {"LANG": "javanese"}, "en"),
        (None, {}, "en"),
    ],
)
def test_language(option: str | None, env: dict[str, str], spoken: str) -> None:
    assert language(option, env) == spoken


def test_an_option_that_is_no_language_is_an_error() -> None:
    with pytest.raises(ShindanError) as error:
        language("fr", {})
    assert told(error.value.reason, "en") == "there is no language 'fr'; choose one of en, ja"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("data/padding-in-los", "did you mean data/padding-in-loss"),
        ("loss-flat", "did you mean symptom/loss-flat?"),
        ("zzz", "there is no fault 'zzz'$"),
    ],
)
def test_an_unknown_fault_names_the_nearest(asked: str, sentence: str) -> None:
    with pytest.raises(ShindanError) as error:
        explain(asked, "en", Console(file=io.StringIO()))
    assert re.search(sentence, told(error.value.reason, "en"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (0.79, "0.79"),
        (2.28412, "2.284"),
        (81234.56, "81234.6"),
        (1.23e-5, "1.23e-5"),
        (2e9, "2e9"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (tuple(range(14)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (14)"),
        ("name", "name"),
    ],
)
def test_numbers_read_well(value: float | str | tuple[int, ...], text: str) -> None:
    assert measure(value) == text


def test_names_in_messages_are_not_taken_for_emphasis() -> None:
    assert "__init__ of *.bias*" in prose.message_html("the __init__ of *.bias* here")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Do this. Then that.", "Do this."),
        ("Use e.g. `mask`. Then train.", "Use e.g. `mask`."),
        ("これを直す。次に確かめる。", "これを直す。"),
        ("Do this:\n\n```\nx\n```", "Do this:"),
        ("Whole", "Whole"),
    ],
)
def test_first_sentence(text: str, first: str) -> None:
    assert prose.first_sentence(text) == first


def test_places_are_relative_to_the_root_and_sources_are_read(tmp_path: Path) -> None:
    script = tmp_path / "src" / "train.py"
    script.parent.mkdir()
    script.write_text("a = 1\nb = '診断'\n", encoding="utf-8")
    where = sample.PADDING.where.__class__(str(script), 2)
    missing = sample.CLIP.where.__class__("gone.py", 1)
    found = tuple(
        sample.SAME.__class__(**{**vars(sample.SAME), "where": w}) for w in (where, missing)
    )
    document = sample.SICK.__class__("sick", (), found)
    view = View(document, sources=read_sources(document), root=str(tmp_path))
    assert view.place(where) == "src/train.py:2"
    assert view.place(missing) == "gone.py:1"
    assert [(s.text, s.here) for s in view.excerpt(where)] == [
        ("a = 1", False),
        ("b = '診断'", True),
    ]
    assert view.excerpt(missing) == ()
