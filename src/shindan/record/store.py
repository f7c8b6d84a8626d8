"""One run, one SQLite file (WAL): readable while the run goes on and after it was killed."""

import dataclasses
import functools
import importlib
import json
import pkgutil
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shindan.core.errors import ShindanError
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.finding import Failure
from shindan.core.reason import Because, Reason

FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (type TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS missing (type TEXT NOT NULL, because TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failure (what TEXT NOT NULL, error TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Record:
    """What a record holds."""

    meta: Mapping[str, Any]
    evidence: Mapping[type[Evidence], Evidence] = field(default_factory=dict)
    missing: tuple[Unavailable, ...] = ()
    failures: tuple[Failure, ...] = ()


class Writer:
    """Writes a record; every ``write`` replaces the evidence in one transaction."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise ShindanError("record-not-writable", path=path, error=error) from error
        self.path = path
        self.meta(format=FORMAT)

    def meta(self, **values: Any) -> None:
        """Set facts about the run."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(k, json.dumps(v)) for k, v in values.items()],
            )

    def write(
        self,
        evidence: Iterable[Evidence],
        missing: Iterable[Unavailable],
        failures: Iterable[Failure],
    ) -> None:
        """Replace what is known."""
        rows = [(type(e).__name__, json.dumps(dataclasses.asdict(e))) for e in evidence]
        with self._db:
            self._db.execute("DELETE FROM evidence")
            self._db.execute("DELETE FROM missing")
            self._db.execute("DELETE FROM failure")
            self._db.executemany("INSERT OR REPLACE INTO evidence VALUES (?, ?)", rows)
            self._db.executemany(
                "INSERT INTO missing VALUES (?, ?)",
                [(m.evidence, _kept(m.because)) for m in missing],
            )
            self._db.executemany(
                "INSERT INTO failure VALUES (?, ?)", [(f.what, _kept(f.error)) for f in failures]
            )

    def close(self) -> None:
        """Fold the write-ahead log in, so that the record is one file."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()


def read(path: Path) -> Record:
    """Read a record. Raises ShindanError when it is none."""
    if not path.is_file():
        raise ShindanError("no-record", path=path)
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        meta = {k: json.loads(v) for k, v in db.execute("SELECT key, value FROM meta")}
        if meta.get("format") != FORMAT:
            raise ShindanError("record-of-another-version", path=path, format=meta.get("format"))
        evidence = {}
        for name, content in db.execute("SELECT type, content FROM evidence"):
            kind = evidence_types().get(name)
            if kind is not None:
                evidence[kind] = TypeAdapter(kind).validate_python(json.loads(content))
        missing = tuple(
            Unavailable(kind, _because(kept))
            for kind, kept in db.execute("SELECT type, because FROM missing")
        )
        failures = tuple(
            Failure(what, _because(kept))
            for what, kept in db.execute("SELECT what, error FROM failure")
        )
        db.close()
    except (sqlite3.Error, ValueError, ValidationError) as error:
        raise ShindanError("no-sound-record", path=path, error=error) from error
    return Record(meta, evidence, missing, failures)


def _kept(because: Because) -> str:
    return because if isinstance(because, str) else json.dumps(dataclasses.asdict(because))


def _because(kept: str) -> Because:
    """A reason; the sentence itself in a record made before reasons had keys."""
    try:
        return Reason(**json.loads(kept))
    except (ValueError, TypeError):
        return kept


@functools.cache
def evidence_types() -> Mapping[str, type[Evidence]]:
    """All evidence types by name."""
    import shindan.core.evidence as room

    for info in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        importlib.import_module(info.name)
    return {kind.__name__: kind for kind in _below(Evidence)}


def _below(kind: type[Evidence]) -> Iterable[type[Evidence]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _below(sub)
