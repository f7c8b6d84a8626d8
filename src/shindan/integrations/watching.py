"""A watched run from its first line to its document."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from shindan.core.document import Document
from shindan.core.errors import ShindanError
from shindan.core.evidence.curve import FixedBatch
from shindan.core.finding import Failure, Subject
from shindan.diagnose.engine import diagnose
from shindan.probes.catalogue import all_probes
from shindan.probes.session import Gathered, Session
from shindan.probes.taps.all import tapped
from shindan.record.store import Record, Writer

FIRST_FLUSH = 2.0
"""Seconds until the record is first written."""
PATIENCE = 100
"""A flush that took t seconds is followed by PATIENCE * t seconds without one (1 % of the time)."""


class Watch:
    """Session, record and their ends."""

    def __init__(self, name: str, record: Path | None, keep_text: bool = False) -> None:
        self.name = name
        self.keep_text = keep_text
        self.writer: Writer | None = None
        self.trouble: list[Failure] = []
        self._due = time.monotonic() + FIRST_FLUSH
        self._document: Document | None = None
        self.evidence: Gathered = {}
        if record is not None:
            try:
                self.writer = Writer(record)
                self.writer.meta(name=name, pid=os.getpid(), started=time.time(), ended="running")
            except ShindanError as error:
                self.trouble.append(Failure("record", error.reason))
        probes, broken = all_probes()
        self.trouble += broken
        self.session = Session(probes, flush=self._flush)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch what happens inside."""
        with tapped(self.session):
            yield

    def _flush(self) -> None:
        now = time.monotonic()
        if self.writer is None or now < self._due:
            return
        with self.session.at_work():
            gathered, missing = self.session.evidence()
            self._write(gathered, missing)
        took = time.monotonic() - now
        self._due = now + max(FIRST_FLUSH, PATIENCE * took)

    def _write(self, gathered: Gathered, missing: Any) -> None:
        if self.writer is None:
            return
        try:
            kept = gathered if self.keep_text else without_text(gathered)
            self.writer.write(kept.values(), missing, [*self.session.failures, *self.trouble])
        except Exception as error:  # noqa: BLE001 - the run goes on without a record
            self.session.fail("record", error)
            self.writer = None

    def end(self, how: str, error: BaseException | None = None, look: bool = True) -> Document:
        """Diagnose; the second call returns the first document."""
        if self._document is not None:
            return self._document
        session = self.session
        session.ended = how
        if error is not None:
            session.tell("on_crash", error)
        session.guarded("look", lambda: self._last_look(look))
        self.evidence, missing = session.evidence()
        self._write(self.evidence, missing)
        if self.writer is not None:
            self.writer.meta(ended=how)
            self.writer.close()
        self._document = diagnose(
            self.evidence,
            missing,
            [*session.failures, *self.trouble],
            Subject("run", self.name, str(self.writer.path) if self.writer else None),
        )
        return self._document

    def _last_look(self, look: bool) -> None:
        """Losses inside a model are heard through the taps, which the script's end took off."""
        with tapped(self.session):
            self.session.finish(look)


def without_text(gathered: Gathered) -> Gathered:
    """The same evidence with token ids only: text of the data is kept when asked for."""
    held = gathered.get(FixedBatch)
    if not isinstance(held, FixedBatch):
        return gathered
    bare = tuple(replace(p, truth_text=None, top_text=()) for p in held.predictions)
    return {**gathered, FixedBatch: replace(held, predictions=bare)}


def from_record(record: Record, path: Path) -> Document:
    """The document of a run that is over (or was killed)."""
    return diagnose(
        record.evidence,
        record.missing,
        record.failures,
        Subject("run", str(record.meta.get("name", path.stem)), str(path)),
    )
