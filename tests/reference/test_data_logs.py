"""Log lines to keys, and keys to sessions: nothing leaks, nothing short is lost, UNK is counted."""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import pytest

from shindan.reference.data.errors import DataError
from shindan.reference.data.logs import UNSEEN, LogKeys, LogLine, read_log
from shindan.reference.data.sessions import (
    DIST,
    FIRST_KEY,
    UNK,
    KeyVocabulary,
    Session,
    by_id,
    by_window,
    read_sessions,
    train_and_test_windows,
)
from shindan.reference.logs import TEMPLATES, sessions
from tests.reference.real import real


@pytest.fixture(scope="module")
def made() -> list[LogLine]:
    texts = [text for session in sessions(60, seed=1) for _, text in session]
    return [LogLine(text, number, None) for number, text in enumerate(texts, 1)]


@pytest.fixture(scope="module")
def keys(made: list[LogLine]) -> LogKeys:
    return LogKeys.learn(line.text for line in made)


def test_made_lines_have_one_template_each(made: list[LogLine], keys: LogKeys) -> None:
    assert len(keys.templates) == len(TEMPLATES)
    assert "Verification succeeded for <*>" in keys.templates
    assert all(keys.key(line.text) in keys.templates for line in made)


def test_a_line_never_seen_is_unseen_and_nothing_is_learnt(keys: LogKeys) -> None:
    for _ in range(2):
        assert keys.key("Disk 3 on fire, the operator has left") == UNSEEN
    assert keys.key("Verification succeeded for blk_7") == "Verification succeeded for <*>"


def test_keys_are_kept(tmp_path: Path, made: list[LogLine], keys: LogKeys) -> None:
    keys.save(tmp_path / "templates.json")
    again = LogKeys.load(tmp_path / "templates.json")
    assert [again.key(line.text) for line in made] == [keys.key(line.text) for line in made]


def test_by_id(made: list[LogLine], keys: LogKeys) -> None:
    found = by_id(made, keys)
    original = list(sessions(60, seed=1))
    assert [len(session.keys) for session in found] == [len(session) for session in original]
    assert found[0].name in made[0].text
    assert found[1].lines[0] == len(original[0]) + 1
    both = [LogLine("move blk_1 to blk_-2", 1, None), LogLine("nothing", 2, True)]
    assert [(s.name, s.lines, s.anomalous) for s in by_id(both, keys)] == [
        ("blk_1", (1,), None),
        ("blk_-2", (1,), None),
    ]
    with pytest.raises(DataError, match="no line of the log has an id"):
        by_id(both[1:], keys)


@pytest.mark.parametrize(("size", "stride"), [(10, None), (10, 3), (7, 7), (1000, 5)])
def test_windows_do_not_leak(made: list[LogLine], size: int, stride: int | None) -> None:
    lines = made[:203]
    train, test, keys = train_and_test_windows(lines, size, 0.6, stride)
    sides = [{n for window in part for n in window.lines} for part in (train, test)]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == set(range(1, 204))
    assert keys.templates == LogKeys.learn(line.text for line in lines[:122]).templates
    assert all(len(window.keys) == size for window in train[:-1])


def test_a_window_is_anomalous_where_a_line_is(keys: LogKeys) -> None:
    lines = [LogLine("a b", n, n == 5) for n in range(1, 10)]
    assert [w.anomalous for w in by_window(lines, keys, 4)] == [False, True, False]
    assert by_window([], keys, 4) == []


def test_vocabulary_counts_what_it_does_not_know() -> None:
    train = [Session(("5", "5", "22")), Session(("9",))]
    vocabulary = KeyVocabulary.of(train)
    assert vocabulary.keys == ("5", "22", "9")
    assert len(vocabulary) == FIRST_KEY + 3
    test = [Session(("5", "77", "78")), Session(("22",)), Session(())]
    first, second, empty = vocabulary.encode(test)
    assert first.tolist() == [DIST, 4, UNK, UNK]
    assert second.tolist() == [DIST, 5]
    assert empty.tolist() == [DIST]
    assert vocabulary.unseen(test) == (2, 1)


def test_long_sessions_lose_no_key() -> None:
    session = Session(tuple("abcdefg"), anomalous=True, name="x", lines=tuple(range(7)))
    pieces = session.pieces(3)
    assert [p.keys for p in pieces] == [tuple("abc"), tuple("def"), ("g",)]
    assert pieces[2].lines == (6,)
    assert all(p.anomalous and p.name == "x" for p in pieces)
    assert Session(()).pieces(3) == [Session(())]


def test_session_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("5 5 22 \n\n9\n")
    assert read_sessions(tmp_path / "a") == [Session(("5", "5", "22")), Session(("9",))]
    (tmp_path / "a.csv").write_text("Sequence,label\n5 22,1\n9,0\n")
    assert read_sessions(tmp_path / "a.csv") == [Session(("5", "22"), True), Session(("9",), False)]
    (tmp_path / "b.csv").write_text("Sequence,labels\n5 22,1\n")
    with pytest.raises(DataError, match="no column label; its columns are Sequence, labels"):
        read_sessions(tmp_path / "b.csv")
    (tmp_path / "a.jsonl").write_text('{"block": "x", "templates": ["a b"]}\n')
    with pytest.raises(DataError, match="no column label; its columns are block, templates"):
        read_sessions(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("{\n")
    with pytest.raises(DataError, match="not a readable JSONL file"):
        read_sessions(tmp_path / "b.jsonl")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(DataError, match="holds no text"):
        read_sessions(tmp_path / "empty")
    with pytest.raises(DataError, match=r"did you mean .*a\.csv"):
        read_sessions(tmp_path / "c.csv")


def test_logs_as_they_come(tmp_path: Path) -> None:
    raw = b"\xff plain line 3\n\n2026-01-02 10:11:12,123 INFO x\n"
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(raw))
    first, second = read_log(tmp_path / "a.log.gz")
    assert first == LogLine("\ufffd plain line 3", 1, None)
    assert second.number == 3
    assert second.text.startswith("2026")  # most lines have no such header
    (tmp_path / "b.log").write_text("2026-01-02 10:11:12,123 INFO x\n" * 5)
    assert next(read_log(tmp_path / "b.log")).text == "INFO x"


def test_hdfs_sessions_are_all_there() -> None:
    """Counts of SYSTEMS.md, section 1, and of data/INDEX.md."""
    folder = real("hdfs")
    train = read_sessions(folder / "hdfs_train", anomalous=False)
    abnormal = read_sessions(folder / "hdfs_test_abnormal", anomalous=True)
    assert (len(train), len(abnormal)) == (4_855, 16_838)
    assert sum(len(session.keys) < 10 for session in abnormal) == 6_191
    vocabulary = KeyVocabulary.of(train)
    long = [session for session in abnormal if len(session.keys) >= 10]
    assert vocabulary.unseen(long)[1] / len(long) == pytest.approx(0.74, abs=0.005)
    assert not {s.keys for s in train} & {s.keys for s in abnormal}
    for name, each in (("robust_log_train.csv", 6_000), ("robust_log_valid.csv", 1_000)):
        labelled = read_sessions(folder / name)
        assert [sum(s.anomalous is kind for s in labelled) for kind in (False, True)] == [each] * 2


def test_hdfs_100k_sessions() -> None:
    folder = real("hdfs_100k")
    train = read_sessions(folder / "train.jsonl.gz")
    test = read_sessions(folder / "test.jsonl.gz")
    assert [(len(s), sum(bool(x.anomalous) for x in s)) for s in (train, test)] == [
        (6_352, 256),
        (1_588, 57),
    ]


@pytest.mark.parametrize(
    ("name", "accuracy", "anomalous"),
    [("HDFS", 0.99, None), ("BGL", 0.96, 143), ("Thunderbird", 0.95, 0), ("Apache", 1.0, None)],
)
def test_grouping_accuracy_on_loghub(name: str, accuracy: float, anomalous: int | None) -> None:
    """As in Zhu et al. 2019: a line is right when its group is exactly that of the labels.

    Published for Drain: .998, .963, .955, 1.
    """
    folder = real("loghub_2k")
    lines = list(read_log(folder / f"{name}_2k.log"))
    with (folder / f"{name}_2k.log_structured.csv").open(encoding="utf-8") as file:
        truth = [row["EventId"] for row in csv.DictReader(file)]
    keys = LogKeys.learn(line.text for line in lines)
    found, labelled = defaultdict(set), defaultdict(set)
    for n, (line, event) in enumerate(zip(lines, truth, strict=True)):
        key = keys.key(line.text)
        assert key != UNSEEN
        found[key].add(n)
        labelled[event].add(n)
    groups = list(labelled.values())
    right = sum(len(group) for group in groups if group in found.values())
    assert right / len(lines) >= accuracy
    labels = [line.anomalous for line in lines]
    assert (sum(map(bool, labels)) if labels[0] is not None else None) == anomalous
