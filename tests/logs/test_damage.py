"""What is broken is read as far as it goes, and what was lost is said."""

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from shindan.logs.reading import read
from shindan.logs.table import LogTable

from . import samples as made
from .samples import ROWS


def one(path: Path, content: bytes | str) -> LogTable:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (found,) = read(path)
    return found


def keys(found: LogTable) -> list[str]:
    return [reason.key for reason in found.lost]


def test_json_that_is_cut_off(tmp_path: Path) -> None:
    whole = made.trainer_state()
    found = one(tmp_path / "trainer_state.json", whole[: len(whole) // 2])
    assert keys(found) == ["log-cut"]
    assert 15 <= len(found) <= 25
    path = tmp_path / "h.json"
    path.write_text('{"step": [1, 2, 3], "loss": [2.5, 2.4, 2.')
    assert [(len(t), keys(t)) for t in read(path)] == [(2, ["log-cut"])]


def test_json_that_is_damaged_in_the_middle(tmp_path: Path) -> None:
    whole = made.trainer_state()
    at = whole.index(b'"step": 20')
    found = one(tmp_path / "trainer_state.json", whole[:at] + b"\0\0@@@" + whole[at + 5 :])
    assert keys(found) == ["log-damaged-at"]
    assert found.present["loss"].sum() >= ROWS - 1
    assert found.columns["step"][-2:].tolist() == [ROWS - 1, ROWS]


def test_documents_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_bytes(made.trainer_state() * 2)
    first, second = read(path)
    assert (len(first), len(second)) == (ROWS + 1, ROWS + 1)
    assert keys(first) == ["log-several-documents"]


def test_jsonl_with_other_lines_between(tmp_path: Path) -> None:
    lines = made.jsonl().split(b"\n")
    lines[3:3] = [b"Traceback (most recent call last):", b'{"step": 99, "lo']
    found = one(tmp_path / "m.jsonl", b"\n".join(lines))
    assert len(found) == ROWS
    (reason,) = found.lost
    assert (reason.key, reason.values) == ("log-lines-damaged", {"count": 2, "line": 4})


def test_jsonl_whose_types_change(tmp_path: Path) -> None:
    text = '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": "NaN"}\n{"step": 3, "loss": "oom"}\n'
    found = one(tmp_path / "m.jsonl", text)
    assert found.present["loss"].tolist() == [True, True, False]
    assert list(found.words["loss"]) == [None, None, "oom"]


def test_csv_of_a_resumed_run(tmp_path: Path) -> None:
    found = one(tmp_path / "m.csv", made.comma() + made.comma())
    assert len(found) == 2 * ROWS
    assert [(r.key, r.values["count"]) for r in found.lost] == [("log-header-again", 1)]
    assert found.present["loss"].all()


def test_csv_with_rows_of_other_lengths(tmp_path: Path) -> None:
    found = one(tmp_path / "m.csv", "step,loss\n1,2.5\n2,2.4,9\n3,nan\n4,,\n5,\n6")
    assert found.columns["step"].tolist() == [1, 3, 5]
    assert found.present["loss"].tolist() == [True, True, False]
    assert keys(found) == ["log-rows-damaged"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp932", "euc_jp"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    lines = "".join(f"エポック {i} 損失: {5 - i / 9:.3f}\n" for i in range(20))
    found = one(tmp_path / "train.log", lines.encode(encoding))
    assert list(found.columns) == ["エポック", "損失"]
    assert (len(found), found.lost) == (20, ())


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    lines = made.nanogpt().replace(b"iter 5:", b"\xff\xfe\x80 iter 5:")
    found = one(tmp_path / "train.log", lines)
    assert (found.present["loss"].sum(), keys(found)) == (ROWS, ["log-not-text"])


def test_compressed_and_cut_off(tmp_path: Path) -> None:
    data = "".join(f"step {i} loss {1 / (i + 1):.6f}\n" for i in range(5000)).encode()
    packed = gzip.compress(data)
    assert len(one(tmp_path / "a.log.gz", packed + packed)) == 10_000
    half = one(tmp_path / "b.log.gz", packed[: len(packed) // 2])
    assert keys(half) == ["log-zip-cut"]
    assert 1000 < len(half) < 5000
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    assert keys(one(tmp_path / "c.log.gz", bytes(broken)))[:1] == ["log-zip-damaged"]


def test_frames_that_are_damaged(tmp_path: Path) -> None:
    events = bytearray(made.tensorboard())
    events[len(events) // 2 : len(events) // 2 + 40] = bytes(40)
    found = one(tmp_path / "events.out.tfevents.1", bytes(events[:-20]))
    assert keys(found) == ["log-bytes-skipped", "log-last-record-cut"]
    assert ROWS - 5 <= len(found) < ROWS
    run = made.wandb()
    assert keys(one(tmp_path / "r.wandb", run[:-5])) == ["log-last-record-cut"]


def test_lines_torn_by_two_writers(tmp_path: Path) -> None:
    text = "".join(f"step {i} loss {3.5 - i / 99:.3f}\nstep {i} lr 0.1\n" for i in range(60))
    found = one(tmp_path / "a.log", text.replace("step 9 loss", "step 9 step 9 lossloss"))
    assert found.present["loss"].sum() >= 58
    assert found.present["lr"].sum() == 60


def test_lines_that_were_redrawn(tmp_path: Path) -> None:
    bars = "".join(
        f"\r{i}%|██  | {i}/100 [00:01<00:09, 3.9it/s, loss={5 - i / 50}]" for i in range(9)
    )
    lines = [f"epoch {n} val loss {4 - n}{bars}" for n in range(3)]
    found = one(tmp_path / "train.log", "\n".join(lines) + "\r\n")
    assert found.lines is not None
    assert found.lines.tolist() == [1] * 10 + [2] * 10 + [3] * 10
    assert found.present["loss"].sum() == 27


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    lines = [
        f"2024-01-01 10:00:0{i},500 | {i} | loss {2.5 + i:.1e} | tok/s 1,234.5K | eta 1:02:0{i}"
        for i in range(3, 9)
    ]
    found = one(tmp_path / "a.log", "\n".join(lines)).columns
    assert found["tok/s"].tolist() == [1234500.0] * 6
    assert found["eta"].tolist() == [3723.0 + i - 3 for i in range(3, 9)]
    assert np.diff(found["timestamp"]).tolist() == [1.0] * 5
    assert found["timestamp"][0] % 60 == 3.5


def test_brackets_without_end_before_the_log_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    lines = ["a = " + "[" * 5000 + "(", *(f"step {i} loss {9 - i / 9:.3f}" for i in range(40))]
    path.write_text("\n".join(lines))
    started = time.process_time()
    (found,) = read(path)
    assert len(found) == 40
    assert time.process_time() - started < 2
