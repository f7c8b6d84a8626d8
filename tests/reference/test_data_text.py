"""Documents from files of every kind, and the one sentence where there are none."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from shindan.reference import corpus
from shindan.reference.data.errors import SENTENCES, DataError
from shindan.reference.data.text import Unit, documents, hub_documents
from tests.reference.real import real

WIKI = (
    " \n = First = \n \n a b c . \n d = e \n \n = = Part = = \n \n f g . \n \n"
    " = Second = \n \n h . \n"
)


def test_embedded_corpus() -> None:
    topics = list(documents())
    assert topics == [text for text in corpus.documents() if text.strip()]
    assert sum(map(len, topics)) > 200_000
    assert list(documents("embedded")) == topics
    assert len(list(documents(unit="paragraph"))) > 10 * len(topics)


def test_wikitext_units(tmp_path: Path) -> None:
    file = tmp_path / "wiki.tokens"
    file.write_text(WIKI)
    first, second = documents(file)
    assert first.startswith(" = First =")
    assert "f g ." in first
    assert second.strip().endswith("h .")
    assert list(documents(file, unit="paragraph")) == ["a b c .", "d = e", "f g .", "h ."]
    assert len(list(documents(file, unit="line"))) == 7
    assert list(documents(file, unit="file")) == [WIKI]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "one\ntwo\n\n\nthree\n", ["one\ntwo", "three"]),
        ("a.txt", "one\ntwo \nthree", ["one", "two", "three"]),
        ("a.txt", "\n\none\ntwo\n", ["one", "two"]),
        ("a.txt", "\ufeffone\u2028half\r\ntwo", ["one\u2028half", "two"]),
        ("a.py", "x = 1\n\ny = 2\n", ["x = 1\n\ny = 2\n"]),
        (
            "a.jsonl",
            '{"text": "one"}\n\n{"text": "two\\n\\n2"}\n"bare"\n',
            ["one", "two\n\n2", "bare"],
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_files(tmp_path: Path, name: str, content: str, expected: list[str], packed: bool) -> None:
    file = tmp_path / (name + ".gz" * packed)
    raw = content.encode()
    file.write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
    assert list(documents(file)) == expected


def test_csv_with_a_very_long_field(tmp_path: Path) -> None:
    long = "word, " * 50_000
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "body"], [1, long], [2, "two\nlines"]])
    assert list(documents(tmp_path / "a.csv", column="body")) == [long, "two\nlines"]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"text": ["one", None, "two"], "n": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert list(documents(tmp_path / "a.parquet")) == ["one", "two"]
    assert list(documents(tmp_path)) == ["one", "two"]
    with pytest.raises(DataError, match="no column txt; its columns are text, n"):
        list(documents(tmp_path / "a.parquet", column="txt"))


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.py").write_text("print()")
    (tmp_path / "a.txt").write_text("one\n\none more")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("hidden")
    assert list(documents(tmp_path)) == ["one", "one more", "print()"]


def test_hub_loader_reads_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    rows = [{"text": "one"}, {"text": "two"}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(hub_documents(str(tmp_path))) == ["one", "two"]
    with pytest.raises(DataError, match="no such data set that can be read"):
        hub_documents(str(tmp_path), split="validation")
    with pytest.raises(DataError, match="no column body"):
        list(hub_documents(str(tmp_path), column="body"))


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "wiki.txt").write_text("one")
    with pytest.raises(DataError, match=r"no file or folder .*wkii.txt; did you mean wiki.txt\?"):
        documents(tmp_path / "wkii.txt")
    with pytest.raises(DataError, match=r"no file or folder /nowhere/at/all\.txt"):
        documents("/nowhere/at/all.txt")
    with pytest.raises(DataError, match="no file or folder wikitex"):
        documents("wikitex")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b" \n\n", "holds no text"),
        ("a.txt", b"caf\xe9", "is not UTF-8 text"),
        ("a.txt.gz", b"plain", "not a readable gzip file"),
        ("a.txt.gz", gzip.compress(b"plain", mtime=0)[:-6], "not a readable gzip file"),
        ("a.jsonl", b'{"text": "a"}\n{', "not a readable JSONL file: line 2"),
        ("a.jsonl", b"3\n", "no column text"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(documents(tmp_path / name))


def test_every_error_is_told_in_both_languages() -> None:
    class AnyValue(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return "x"

    for english, japanese in SENTENCES.values():
        asked, answered = AnyValue(), AnyValue()
        assert english.format_map(asked) != japanese.format_map(answered)
    error = DataError("no-text", source="a.txt")
    assert (error.told("en"), str(error)) == ("a.txt holds no text",) * 2
    assert error.told("ja") == "a.txt にはテキストがありません"


@pytest.mark.parametrize(("unit", "counts"), [("article", [60, 60]), ("line", [2461, 2891])])
def test_wikitext_2(unit: Unit, counts: list[int]) -> None:
    folder = real("wikitext-2")
    for name, count in zip(("valid", "test"), counts, strict=True):
        assert sum(1 for _ in documents(folder / f"{name}.raw.gz", unit=unit)) == count
