"""What is kept comes back, also from records made before reasons had keys."""

import sqlite3
from pathlib import Path

from shindan.core.evidence.base import Unavailable
from shindan.core.finding import Failure
from shindan.core.reason import Reason
from shindan.record.store import Writer, read

OLD = ("no gradient was clipped", "5", '"quoted"', "{not json", '{"neither": 1}')


def test_reasons_come_back_and_old_sentences_stay(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    missing = [
        Unavailable("Clipping", Reason("nothing-clipped")),
        Unavailable("StepTest", Reason("parameters-too-large", {"gib": 4})),
        Unavailable("PaddingProbe", Reason("call-failed", {"error": "KeyError: 'x'"})),
    ]
    writer = Writer(path)
    failures = [Failure("record", Reason("no-record", {"path": "x"})), Failure("check a/b", "oh")]
    writer.write([], missing, failures)
    writer.close()
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO missing VALUES ('Rates', ?)", [(words,) for words in OLD])
    held = read(path)
    assert list(held.missing) == missing + [Unavailable("Rates", words) for words in OLD]
    assert list(held.failures) == failures
