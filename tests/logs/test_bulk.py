"""Large logs go a vectorised way, which gives what the way line by line gives."""

from pathlib import Path

import numpy as np
import pytest

from shindan.logs import text
from shindan.logs.arrow import Words
from shindan.logs.readers import json_lines
from shindan.logs.reading import read
from shindan.logs.table import LogTable


def lines() -> list[str]:
    kept = ["Namespace(lr=0.1)", "a word of greeting"]
    for i in range(6000):
        at = f"2024-01-01 10:{i // 60 % 60:02}:{i % 60:02},{i % 1000:03}"
        kept.append(f"{at} step {i}/6000 | loss {'nan' if i == 77 else 9 - i / 999:.6} | wps {i:,}")
        if i % 50 == 0:
            kept.append(f"{at} step {i}/6000 | val loss {9 - i / 999:.4f} | eta 0:{i % 60:02}:09")
        if i % 1000 == 0:
            kept.append(f"saved checkpoint {i} at {at}Z, loss +.5")
            kept.append(f"only once, in line {i} of loss")
    return kept


def same(one: LogTable, other: LogTable) -> None:
    assert set(one.columns) == set(other.columns)
    for name, values in one.columns.items():
        assert np.array_equal(one.present[name], other.present[name]), name
        assert np.allclose(values, other.columns[name], rtol=1e-14, equal_nan=True), name
    assert one.words == other.words
    assert (one.settings, one.lost) == (other.settings, other.lost)


def test_text_in_bulk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.log"
    path.write_text("\n".join(lines()))
    monkeypatch.setattr(text, "PIECE", 1 << 15)
    monkeypatch.setattr(text, "_LEARNT", 1 << 10)
    monkeypatch.setattr(text, "_MANY", 20)
    (bulk,) = read(path)
    monkeypatch.setattr(text, "PIECE", 1 << 30)
    monkeypatch.setattr(text, "_LEARNT", 1 << 30)
    (slow,) = read(path)
    same(bulk, slow)
    assert bulk.lines is not None
    assert slow.lines is not None
    assert bulk.lines.tolist() == slow.lines.tolist()
    assert bulk.present["loss"].sum() == 6000 + 6
    assert bulk.settings["lr"] == 0.1


def test_json_lines_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.jsonl"
    rows = [
        f'{{"step": {i}, "loss": {2.5 + i}, "lrs": [{i}, 0.5], "kind": "a{i % 3}"'
        + (', "val": {"loss": NaN}}' if i % 7 == 0 else "}")
        for i in range(3000)
    ]
    path.write_text("\n".join(rows) + "\n")
    (whole,) = read(path)
    monkeypatch.setattr(json_lines, "_BLOCK", 1 << 12)
    (pieces,) = read(path)
    same(whole, pieces)
    assert set(whole.columns) == {"step", "loss", "lrs.0", "lrs.1", "val.loss"}
    assert whole.present["val.loss"].sum() == 429
    path.write_text("\n".join([*rows, '{"step": "last", "loss": 0}']))
    (mixed,) = read(path)
    assert len(mixed) == 3001
    assert np.array_equal(mixed.columns["loss"][:3000], whole.columns["loss"])
    assert mixed.words["step"][-1] == "last"


def test_csv_whose_types_change_late(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    rows = [f"{i},{i / 7}" for i in range(400_000)]
    path.write_text("\n".join(["step,loss", *rows, "400000,oom", "400001,2.5%"]))
    (found,) = read(path)
    assert found.columns["loss"][-1] == 2.5
    assert found.columns["loss"][399_999] == pytest.approx(399_999 / 7)
    assert not found.present["loss"][400_000]
    assert found.words["loss"][400_000] == "oom"


def test_words_are_read_like_a_tuple(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("step,kind\n1,a\n2,\n3,c\n")
    (found,) = read(path)
    words = found.words["kind"]
    assert isinstance(words, Words)
    assert (words[0], words[-1], words[1], len(words)) == ("a", "c", None, 3)
    assert words[1:] == (None, "c")
    assert words == ("a", None, "c")
