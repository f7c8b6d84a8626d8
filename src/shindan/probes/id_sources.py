"""Where training and evaluation rows come from, and which tokenizers are in the run."""

import sys
import time
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.ids import IdSources, SourceOverlap, Vocabulary
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Because, Reason
from shindan.probes.capture import IGNORE, LANGUAGE
from shindan.probes.census import Census
from shindan.probes.events import BatchEvent, LossCall
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.rows.holders import Holder, from_file, holders
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.overlap import Overlap, expected_share, ngrams, sampled
from shindan.probes.rows.places import Place, evaluation_place
from shindan.probes.rows.reading import input_ids
from shindan.probes.rows.searching import Match, search, windows
from shindan.probes.rows.shared import Shared, shared
from shindan.probes.rows.tokenizers import tokenizers
from shindan.probes.session import Session

TRIES = 3
PATIENCE = 0.5
"""Seconds a search may take before it is given up."""
KEPT = 200_000


class IdSourcesProbe(Probe):
    """Evidence ``IdSources``, ``SourceOverlap`` and ``SharedSource``."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.tries = 0
        self.evaluations = 0
        self.pieces: list[Ints] = []
        self.classes = 0
        self.highest = 0
        self.batch = 0
        self.mask = 0
        self.held_out: Ints = np.empty(0, dtype=np.int64)
        self.pad: int | None = None
        self.found: IdSources | None = None
        self.overlap: SourceOverlap | None = None
        self.shared: Shared | None = None
        self.datasets: list[weakref.ref[Any]] = []
        self.labels: list[Ints] = []
        self.vocabularies: tuple[Vocabulary, ...] = ()
        self.where: Where = NOWHERE
        self.because: Because = Reason("not-looked")

    def on_batch(self, event: BatchEvent) -> None:
        """Remember the data sets of the loaders."""
        if event.index == 0 and len(self.datasets) < 4:
            dataset = event.loader.dataset
            if type(dataset).__hash__ is not None and hasattr(dataset, "__weakref__"):
                self.datasets.append(weakref.ref(dataset))

    def on_look(self, look: Look) -> None:
        """Search what the script holds for this batch's rows, until some are found."""
        try:
            ids = look.ids.cpu().numpy().astype(np.int64)
            labels = look.labels.cpu().numpy()
        except NoReplay as reason:
            self.because = reason.reason
            return
        self.classes = look.classes
        self.highest = max(self.highest, int(ids.max()))
        self.pad = look.pad[0] if look.pad else None
        self.batch = ids.size
        self.labels.append(labels[labels != IGNORE].copy())
        self.where = look.loss.where
        same = labels[:, :-1] == ids[:, 1:]
        counted = labels[:, :-1] != IGNORE
        masked = counted.any() and (same & counted).sum() < 0.9 * counted.sum()
        rows = np.where(labels == IGNORE, ids, labels) if masked else ids
        self.pieces = windows(rows, self.pad) or self.pieces
        if look.last:
            self.vocabularies = tuple(
                dict.fromkeys(Vocabulary(f.kind, f.size) for f in tokenizers())
            )
        searched = self.found is not None and self.found.sources
        if not searched and self.tries < TRIES:
            self.tries += 1
            matches = self._search(self._holders(), self.pieces, 2 * self.batch)
            self.found = IdSources(self.classes, tuple(m.source for m in matches))

    def on_loss(self, call: LossCall) -> None:
        """At the first evaluations after training began: which array do their rows come from?"""
        if call.grad or call.kind not in LANGUAGE or not self.pieces:
            return
        if self.evaluations >= TRIES or self.overlap is not None:
            return
        place = evaluation_place()
        ids = input_ids(call.forward, call.target.numel())
        if place[0] == "train" or ids is None or ids.device.type != "cpu":
            return
        self.evaluations += 1
        self._compare(ids.numpy().astype(np.int64), place)

    def _compare(self, rows: Ints, place: Place) -> None:
        census = self.census
        n = census.overlap.n if census is not None else 0
        everything = self._holders()
        train = self._search(everything, self.pieces, 2 * self.batch)
        for axis in (rows, rows.T):
            pieces = windows(np.ascontiguousarray(axis), self.pad)
            held_out = self._search(everything, pieces, 2 * rows.size)
            if self.shared is None and n:
                self.shared = shared(train, held_out, (len(self.pieces), len(pieces)), n)
            pair = _pair(train, held_out)
            if pair is not None and n:
                self.overlap, self.held_out, self.mask = _overlap(*pair, n, place)
                return

    def _holders(self) -> list[Holder]:
        roots = [("dataset", d) for r in self.datasets if (d := r()) is not None]
        files = [from_file(name, dtype) for name, dtype in self.session.id_files.items()]
        return [*holders(sys._getframe(1), roots), *files]

    @property
    def census(self) -> Census | None:
        """The probe that knows the n-grams that were trained."""
        found = [p for p in self.session.probes if isinstance(p, Census)]
        return found[0] if found else None

    def _search(self, everything: list[Holder], pieces: list[Ints], least: int) -> list[Match]:
        begun = time.monotonic()
        matches: list[Match] = []
        for holder in everything:
            if time.monotonic() - begun > PATIENCE:
                break
            found = search(holder, pieces, self.classes, self.highest)
            if found is not None and found.source.size >= least:
                matches.append(found)
        return matches

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """Sources, tokenizers, and the overlap of sources."""
        if self.classes:
            yield self._sources()
        else:
            yield Unavailable("IdSources", self.because)
        because = Reason("sources-not-found")
        census = self.census
        if census is None or not census.overlap.train:
            yield Unavailable("SourceOverlap", because)
            yield Unavailable("SharedSource", because)
            return
        yield self._so_far(census.overlap) or Unavailable("SourceOverlap", because)
        if self.shared is not None:
            models = len({module for _, module in census.logs})
            yield self.shared.evidence(census.overlap, models)
        else:
            yield Unavailable("SharedSource", because)

    def _so_far(self, trained: Overlap) -> SourceOverlap | None:
        if self.overlap is None:
            return None
        mask = trained.mask | self.mask
        everything = sampled(trained.everything(), mask)
        hits = int(np.isin(everything, sampled(self.held_out, mask)).sum())
        return replace(self.overlap, trained=len(everything), hits=hits)

    def _sources(self) -> IdSources:
        sizes = {v.size for v in self.vocabularies}
        labels = np.concatenate(self.labels) if self.labels else np.empty(0, dtype=np.int64)
        beyond = labels[labels >= max(sizes)] if len(sizes) == 1 else labels[:0]
        return IdSources(
            classes=self.classes,
            sources=self.found.sources if self.found else (),
            tokenizers=self.vocabularies,
            beyond_tokenizer=len(beyond) / max(len(labels), 1),
            beyond_used=len(np.unique(beyond)),
            file=self.where.file,
            line=self.where.line,
        )


def _pair(train: list[Match], held_out: list[Match]) -> tuple[Match, Match] | None:
    """The arrays in which most of the rows stand, of several the smallest."""

    def best(matches: list[Match]) -> Match:
        return min(matches, key=lambda m: (-m.source.rows, m.source.size))

    if not train or not held_out:
        return None
    return best(train), best(held_out)


def _overlap(
    train: Match, held_out: Match, n: int, place: Place
) -> tuple[SourceOverlap, Ints, int]:
    """Overlap of two arrays, the n-grams of the second, and the mask they were sampled by."""
    ours = ngrams(train.flat.astype(np.int64)[None], n, None)
    theirs = np.unique(ngrams(held_out.flat.astype(np.int64)[None], n, None))
    mask = 0
    while max(len(ours), len(theirs)) > KEPT:
        mask = mask * 2 + 1
        ours, theirs = sampled(ours, mask), sampled(theirs, mask)
    a, b = train.holder.memory(), held_out.holder.memory()
    overlap = SourceOverlap(
        train=train.holder.name,
        evaluation=held_out.holder.name,
        overlap=float(np.isin(theirs, ours).mean()) if len(theirs) else 0.0,
        expected=expected_share(ours),
        ngrams=len(theirs),
        shared=a is not None and b is not None and max(a[0], b[0]) < min(a[1], b[1]),
        n=n,
        trained=0,
        hits=0,
        due=float(np.isin(ours, theirs).mean()) if len(ours) else 0.0,
        file=place[1],
        line=place[2],
    )
    return overlap, theirs, mask
