"""What the run reads: counts of tokens, order and repeats of rows, overlap of splits."""

import re
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.rows import RowOrder, RowRepeats
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE
from shindan.probes.edges import constant_runs
from shindan.probes.events import (
    BackwardCall,
    BatchEvent,
    LossCall,
    OptimizerStep,
    SettingsEvent,
)
from shindan.probes.frames import where
from shindan.probes.look import Look, NoReplay
from shindan.probes.names import spoken
from shindan.probes.probe import Probe
from shindan.probes.rows.landing import Ints, Landing
from shindan.probes.rows.loaders import LoaderKind, kind_of
from shindan.probes.rows.overlap import Overlap
from shindan.probes.rows.places import Place, evaluation_place
from shindan.probes.rows.reading import Origin, Reading, input_ids, targets_of
from shindan.probes.rows.rowlog import RowLog, scatter
from shindan.probes.rows.tokencounts import CLASSES, TokenCounts
from shindan.probes.session import Session

PENDING = 32
"""Loss calls with gradients that wait for their backward."""
LOGS = 4
PAD_TRIES = 8
FREE_SECONDS = 0.3
SHARE = 0.005
"""Host time for reading: FREE_SECONDS plus this share of the run."""
PLANNED = re.compile(
    r"curriculum|easy[ _-]to[ _-]hard|roll[ _-]?outs?\b|on[ _-]policy|policy[ _-]gradient|"
    r"reinforce(?!d by)|\b(grpo|ppo)\b",
    re.IGNORECASE,
)
"""Words of an author whose batches are alike on purpose: ordered, or written by the model."""
ONCE = (
    "SequentialSampler",
    "RandomSampler",
    "SubsetRandomSampler",
    "DistributedSampler",
    "SeedableRandomSampler",
)
"""Samplers that take every row once an epoch."""
EVALUATIONS = 2000
"""Evaluation losses read."""


class Census(Probe):
    """Evidence ``DataLines``, ``IdUse``, ``RowOrder``, ``RowRepeats``, ``SplitOverlap``."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.landing = Landing()
        self.counts: TokenCounts | None = None
        self.logs: dict[tuple[int, int], RowLog] = {}
        self.overlap = Overlap()
        self.unsettled: list[Reading] = []
        self.landed: list[Reading] = []
        self.drawn: Origin | None = None
        self.loaders: list[weakref.ref[Any]] = []
        self.drawn_at: dict[int, Where] = {}
        self.kinds: dict[int, LoaderKind] = {}
        self.pad: int | None = None
        self.pad_known = False
        self.tries = 0
        self.asked: bool | None = None
        self.batch_first = True
        self.certain = False
        self.number = 0
        self.spent = 0.0
        self.evaluations = 0
        self.training_loaders: set[int] = set()
        self.planned = False

    # -- what is heard ------------------------------------------------------------------------

    def on_batch(self, event: BatchEvent) -> None:
        """Remember which loader the next losses belong to."""
        number = self._number(event.loader)
        if number not in self.drawn_at:
            self.drawn_at[number] = where()
            self.kinds[number] = kind_of(event.loader)
        self.drawn = Origin(number, event.epoch, event.index)

    def _number(self, loader: Any) -> int:
        for i, ref in enumerate(self.loaders):
            if ref() is loader:
                return i
        self.loaders.append(weakref.ref(loader))
        return len(self.loaders) - 1

    def on_settings(self, event: SettingsEvent) -> None:
        """A setting named shuffle."""
        if isinstance(event.values, dict):
            for name, value in event.values.items():
                if "shuffle" in str(name).lower() and isinstance(value, bool):
                    self.asked = value

    def on_loss(self, call: LossCall) -> None:
        """Read a language loss's ids and targets."""
        if call.kind not in LANGUAGE or call.target.is_floating_point() or call.forward is None:
            return
        classes = call.shape[1] if len(call.shape) > 1 else call.shape[0]
        ids = input_ids(call.forward, call.target.numel())
        if ids is None or classes > CLASSES:
            return
        place: Place = ("", None, None)
        if not call.grad:
            self.evaluations += 1
            if self.evaluations > EVALUATIONS:
                return
            loader = self.loaders[self.drawn.loader]() if self.drawn is not None else None
            place = evaluation_place(loader)
        reading = Reading(
            classes=classes,
            train=None if call.grad else False,
            mode=call.forward.training,
            module=id(call.forward.module),
            origin=self.drawn,
            place=place,
        )
        if call.grad:
            self.unsettled.append(reading)
            if len(self.unsettled) > PENDING:
                self._settle(oldest=True)

        def landed(arrays: list[Ints]) -> None:
            reading.ids, reading.target = arrays
            if reading.train is None:
                self.landed.append(reading)
            else:
                self._take(reading)

        self.landing.post((ids, targets_of(call)), landed)

    def _settle(self, oldest: bool = False) -> None:
        """Losses before a backward in the mode of the last one are training, others evaluation."""
        now = self.unsettled[:1] if oldest else self.unsettled
        for reading in now:
            reading.train = reading.mode == self.unsettled[-1].mode
        self.unsettled = self.unsettled[len(now) :]
        ready = [r for r in self.landed if r.train is not None]
        self.landed = [r for r in self.landed if r.train is None]
        for reading in ready:
            self._take(reading)

    def on_backward(self, backward: BackwardCall) -> None:
        """What is followed by a backward is training."""
        self._settle()

    def on_step_done(self, step: OptimizerStep) -> None:
        """Take in what has landed."""
        self.landing.pump()

    def on_look(self, look: Look) -> None:
        """The look knows padding and layout better; the script speaks of its plan."""
        self.planned = self.planned or spoken(PLANNED)
        try:
            pad = look.pad
            self.batch_first, self.certain = look.first_is_batch, True
        except NoReplay:
            return
        if pad is not None:
            self.pad, self.pad_known = pad[0], True

    # -- what has arrived ---------------------------------------------------------------------

    def _take(self, reading: Reading) -> None:
        begun = time.thread_time()
        self.number += 1
        if reading.train and self.counts is None:
            self.counts = TokenCounts(reading.classes)
        if self.counts is None or reading.classes != self.counts.classes:
            return
        if self._dear() and self.number % 8:
            return
        self._layout(reading)
        rows = reading.rows
        if not self.pad_known and self.tries < PAD_TRIES:
            self.tries += 1
            self._find_pad(rows)
        if reading.train:
            self.counts.add(reading, self.pad, self._trained(reading, rows))
        else:
            self.counts.add(reading, self.pad, None)
            self._evaluated(reading, rows)
        self.spent += time.thread_time() - begun

    def _dear(self) -> bool:
        """Has reading taken more than its share? Then rows are logged no more, 7 of 8 skipped."""
        elapsed = time.monotonic() - self.session.started
        if self.spent <= FREE_SECONDS + SHARE * elapsed:
            return False
        for log in self.logs.values():
            log.closed = True
        return True

    def _layout(self, reading: Reading) -> None:
        if not self.certain and reading.train:
            one, other = reading.agreement(1), reading.agreement(0)
            self.batch_first = other <= max(one, 0.5)
            self.certain = max(one, other) > 0.9
        reading.batch_first = self.batch_first

    def _find_pad(self, rows: Ints) -> None:
        found = constant_runs(torch.from_numpy(np.ascontiguousarray(rows)))
        if found is not None:
            self.pad, self.pad_known = found[0], True

    def _trained(self, reading: Reading, rows: Ints) -> NDArray[np.bool_] | None:
        """Log the rows; tells which are new."""
        new = self._logged(reading, rows)
        self.overlap.trained(rows, self.pad, new)
        return new

    def _logged(self, reading: Reading, rows: Ints) -> NDArray[np.bool_] | None:
        loader = reading.origin.loader if reading.origin else -1
        self.training_loaders.add(loader)
        key = (loader, reading.module)
        log = self.logs.get(key)
        if log is None:
            if len(self.logs) >= LOGS:
                return None
            log = self.logs[key] = RowLog()
        epoch = reading.origin.epoch if reading.origin else None
        return log.add(rows, reading.ends, self.pad, epoch)

    def _evaluated(self, reading: Reading, rows: Ints) -> None:
        says, file, line = reading.place
        if not says and reading.origin and reading.origin.loader in self.training_loaders:
            says = "train"
        self.overlap.evaluated(rows, self.pad, (says, file, line))

    # -- what it amounts to -------------------------------------------------------------------

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """Lines, ids, order, repeats, overlap."""
        if self.session.ended != "running":
            self.landing.pump(wait=True)
            self._settle()
        if self.counts is None:
            because = Reason("no-language-loss")
            for name in ("DataLines", "IdUse", "RowOrder", "RowRepeats", "SplitOverlap"):
                yield Unavailable(name, because)
            return
        yield from (e for e in (self.counts.lines(), self.counts.use()) if e is not None)
        yield from self._of_rows()

    def _of_rows(self) -> Iterator[Evidence | Unavailable]:
        logs = {k: v for k, v in self.logs.items() if v.hashes}
        if not logs:
            return
        key, log = max(logs.items(), key=lambda item: item[1].rows)
        yield self._order(key[0], log)
        yield self._repeats(key[0], log)
        first = next(iter(logs.values()))
        overlap = self.overlap.evidence(first.first_batches(), first.redrawn())
        if overlap is not None:
            yield overlap
        else:
            yield Unavailable("SplitOverlap", Reason("no-language-evaluation"))

    def _order(self, loader: int, log: RowLog) -> RowOrder:
        repeated, followed = log.followed()
        variance = log.variance()
        at = self.drawn_at.get(loader, NOWHERE)
        kind = self.kinds.get(loader)
        return RowOrder(
            batches=len(log.hashes),
            rows=log.rows,
            repeated=repeated,
            followed=followed,
            icc=variance.icc if variance else None,
            excess=variance.excess if variance else 0.0,
            drift=variance.drift if variance else 0.0,
            groups=variance.groups if variance else 0,
            stream=log.stream(),
            sampler=kind.sampler if kind else None,
            map_style=kind.map_style if kind else None,
            shuffles=kind.shuffles if kind else None,
            asked=self.asked,
            curriculum=self.planned,
            file=at.file,
            line=at.line,
        )

    def _repeats(self, loader: int, log: RowLog) -> RowRepeats:
        assert self.counts is not None
        hashes, known = log.first_pass()
        beyond, entropy = log.weighed(self.counts.information, self.pad)
        counts = np.unique(hashes, return_counts=True)[1]
        kind = self.kinds.get(loader, LoaderKind())
        at = self.drawn_at.get(loader, NOWHERE)
        return RowRepeats(
            rows=len(hashes),
            distinct=len(counts),
            most=int(counts.max()),
            beyond_chance=beyond,
            entropy=entropy,
            length=float(np.mean(np.concatenate(log.lengths))),
            scatter=scatter(counts),
            pass_known=known and kind.map_style and kind.sampler in ONCE,
            replacement=kind.replacement,
            workers=kind.workers,
            alike=log.alike(kind.workers),
            file=at.file,
            line=at.line,
        )
