"""Every reason has its words in both languages, and no words are left over."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import shindan
from shindan.core.reason import Because, Reason
from shindan.core.text import LANGUAGES
from shindan.report.reasons import told
from shindan.report.words import sheet

from .test_words import fields

ROOM = Path(shindan.__file__).parent
KEYED = ("Reason", "NoReplay", "ShindanError")
"""What is called with a key first."""


def calls() -> Iterator[tuple[str, str, list[ast.expr]]]:
    """(place, name, arguments) of every call of a plain name in the package."""
    for file in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield f"{file.relative_to(ROOM)}:{node.lineno}", node.func.id, node.args


def keys() -> set[str]:
    first = [args[0] for _, name, args in calls() if name in KEYED and args]
    return {a.value for a in first if isinstance(a, ast.Constant) and isinstance(a.value, str)}


def test_every_key_has_words_and_every_word_a_key() -> None:
    for language in LANGUAGES:
        assert set(sheet("reasons", language)) == keys()


def test_both_languages_take_the_same_values() -> None:
    english, japanese = sheet("reasons", "en"), sheet("reasons", "ja")
    for key, text in english.items():
        assert fields(text) == fields(japanese[key]), key
        assert not f"{text}{japanese[key]}".endswith((".", "。"))
        assert re.search(r"[ぁ-ヶ一-龠]", japanese[key]), key


def test_probes_give_reasons_and_no_sentences() -> None:
    raw = [
        f"{where}: {ast.unparse(a)}"
        for where, name, args in calls()
        for a in args[1:]
        if name == "Unavailable" and isinstance(a, ast.Constant | ast.JoinedStr)
    ]
    assert raw == []


@pytest.mark.parametrize(
    ("because", "english", "japanese"),
    [
        (Reason("no-memory"), "there was not enough memory", "再実行に必要なメモリが足りない"),
        (Reason("parameters-too-large", {"gib": 4}), "than 4 GiB", "パラメータが 4 GiB を超える"),
        (Reason("call-failed", {"error": "{x}"}), "failed: {x}", "失敗した（{x}）"),
        ("an old record's words", "an old record's words", "an old record's words"),
        (Reason("of-another-version"), "of-another-version", "of-another-version"),
    ],
)
def test_reasons_in_words(because: Because, english: str, japanese: str) -> None:
    assert english in told(because, "en")
    assert japanese in told(because, "ja")
