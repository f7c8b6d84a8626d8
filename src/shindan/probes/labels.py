"""Labels against inputs: the objective, the census of labels, ends of texts, MLM corruption."""

import re
from collections import deque
from collections.abc import Iterable

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.labels import (
    Corruption,
    EndOfText,
    LabelCensus,
    LagShare,
    Objective,
    RowStarts,
)
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes import label_census as census
from shindan.probes.events import BatchEvent, LossCall
from shindan.probes.frames import is_user_file
from shindan.probes.label_reach import loss_at, reach_of, states_of
from shindan.probes.label_reading import Reading, read, reread
from shindan.probes.label_sampling import Sample, Sampler
from shindan.probes.labelled import LAGS, Labelled, Related, relate
from shindan.probes.look import Look, NoReplay
from shindan.probes.names import Names, special_ids
from shindan.probes.probe import Probe
from shindan.probes.session import Session

KEPT = 32
"""Batches kept for the census (the first half of them for good, the rest the latest)."""
TARGET = re.compile(r"Target (-?\d+) is out of bounds")


class Labels(Probe):
    """Samples micro-steps as they come, reads and counts them in deep looks."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing; ``fresh``: the samples read in the latest look, for other probes."""
        self.session = session
        self.sampler = Sampler(session)
        self.first: list[Labelled] = []
        self.latest: deque[Labelled] = deque(maxlen=KEPT // 2)
        self.reading: Reading | None = None
        self.related: Related | None = None
        self.names = Names(set(), set())
        self.pads: dict[int, int] = {}
        self.ignore_index = -100
        self.where = NOWHERE
        self.reach: int | None = None
        self.ce: dict[int, float] = {}
        self.because = Reason("no-look-at-language-loss")
        self.crash: tuple[int, Where] | None = None
        self.found: list[Evidence] = []
        self.fresh: list[tuple[Sample, Labelled]] = []

    def on_batch(self, event: BatchEvent) -> None:
        """Remember the batch's integers for the coming sample."""
        self.sampler.handed(event)

    def on_loss(self, call: LossCall) -> None:
        """Keep the step, if it is sampled."""
        self.sampler.heard(call)

    def on_crash(self, error: BaseException) -> None:
        """A target the loss function refused."""
        told = TARGET.search(str(error))
        if told is None:
            return
        place, at = NOWHERE, error.__traceback__
        while at is not None:
            if is_user_file(at.tb_frame.f_code.co_filename):
                place = Where(at.tb_frame.f_code.co_filename, at.tb_lineno)
            ignored = at.tb_frame.f_locals.get("ignore_index")
            self.ignore_index = ignored if isinstance(ignored, int) else self.ignore_index
            at = at.tb_next
        self.crash = int(told[1]), place

    def on_look(self, look: Look) -> None:
        """Read what waits, count, and try how far the model sees."""
        waiting = self.sampler.taken()
        self.fresh = []
        captured = next((s for s in reversed(waiting) if s.captured), None)
        if captured is not None:
            self._learn(look, captured)
        for sample in waiting:
            batch = None if sample is captured else reread(self.reading, sample)
            if batch is not None:
                self._keep(sample, batch)
        if self.batches:
            self._judge(look)

    @property
    def batches(self) -> list[Labelled]:
        """All that is kept."""
        return [*self.first, *self.latest]

    def _learn(self, look: Look, sample: Sample) -> None:
        try:
            self.reading, batch, _ = read(look, sample)
        except NoReplay as why:
            self.because = why.reason
            return
        counted = sample.losses[self.reading.loss]
        self.where, self.ignore_index = counted.where, counted.ignore_index
        if look.update <= 8 or look.last:
            self.names = special_ids(look.classes)
        self._pad(look, batch)
        self._keep(sample, batch)

    def _pad(self, look: Look, batch: Labelled) -> None:
        """The padding's id in this batch, and the mask that tells it."""
        try:
            found = look.pad
            if look.mask is not None and look.ids.shape == batch.ids.shape:
                batch.real = look.mask[1].cpu()
        except NoReplay:
            return
        if found is not None:
            self.pads[found[0]] = self.pads.get(found[0], 0) + 1

    def _keep(self, sample: Sample, batch: Labelled) -> None:
        self.fresh.append((sample, batch))
        (self.first if len(self.first) < KEPT // 2 else self.latest).append(batch)

    def _judge(self, look: Look) -> None:
        pad = max(self.pads, key=lambda k: self.pads[k]) if self.pads else None
        for batch in self.batches:
            if batch.pad != pad:
                batch.pad = pad
                batch.__dict__.pop("padding", None)
        related = self.related = relate(self.batches)
        self._see(look)
        self.found = [self._objective(related), self._census(related)]
        begun = census.starts(self.batches, self.names.all, self.where)
        if begun is not None:
            self.found.append(begun)
        if pad is not None:
            self.found.append(self._ends(pad))
        if related.relation == "masked":
            self.found.append(census.corruption(self.batches, related, self.names, self.where))

    # -- what it says ------------------------------------------------------------------------

    def _objective(self, related: Related) -> Objective:
        alias, share = self._alias(related)
        return Objective(
            related.relation,
            related.lag,
            self.reach,
            tuple(LagShare(s.lag, s.share, s.pairs, self.ce.get(s.lag)) for s in related.lags),
            sum(int((~b.padding).sum()) for b in self.batches),
            sum(int(b.counted.sum()) for b in self.batches),
            alias,
            share,
            self.where,
        )

    def _alias(self, related: Related) -> tuple[int | None, float]:
        """A mask id that is itself a label: it hides a token in the input and is asked for.

        As the label of many of the few positions that count, of which the input has it at each
        and nowhere else; or, where all labels are inputs, by its name.
        """
        if related.relation not in ("copied", "other"):
            return None, 0.0
        labels = torch.cat([b.labels[b.counted] for b in self.batches])
        inputs = torch.cat([b.ids[b.counted] for b in self.batches])
        if not len(labels):
            return None, 0.0
        values, counts = labels.unique(return_counts=True)
        top, n = int(values[counts.argmax()]), int(counts.max())
        given = bool((inputs[labels == top] == top).all())
        unasked = sum(int(((b.ids == top) & ~b.counted).sum()) for b in self.batches)
        real = sum(int((~b.padding).sum()) for b in self.batches)
        few = len(labels) < 0.9 * real
        if few and given and n > 0.3 * len(labels) and unasked * 50 <= n:
            return top, n / len(labels)
        if related.relation == "other":
            return None, 0.0
        for role, number in sorted(self.names.all):
            share = float((labels == number).float().mean())
            if role == "mask" and share > 0.02:
                return number, share
        return None, 0.0

    def _census(self, related: Related) -> LabelCensus:
        batches = self.batches
        stray = [census.strays(b, related) for b in batches] if related.stray is not None else []
        value, (gone, inside) = self._dropped(related)
        return LabelCensus(
            relation=related.relation,
            rows=sum(len(b.ids) for b in batches),
            tokens=sum(int((~b.padding).sum()) for b in batches),
            counted=sum(int(b.counted.sum()) for b in batches),
            ignore_index=self.ignore_index,
            pad_id=batches[-1].pad,
            padding=sum(int(b.padding.sum()) for b in batches),
            padding_counted=sum(census.padding_counted(b) for b in batches),
            stray_value=related.stray,
            stray_counted=sum(n for n, _ in stray),
            stray_ids=len(torch.cat([ids for _, ids in stray]).unique()) if stray else 0,
            dropped_id=value if inside and gone else None,
            dropped=gone,
            dropped_name=next((r for r, n in sorted(self.names.all) if n == value), ""),
            where=self.where,
        )

    def _dropped(self, related: Related) -> tuple[int | None, tuple[int, int]]:
        value = self.ignore_index
        if value < 0 or related.relation != "causal":
            return None, (0, 0)
        parts = [census.dropped(b, 1, value) for b in self.batches]
        return value, (sum(g for g, _ in parts), sum(i for _, i in parts))

    def _ends(self, pad: int) -> EndOfText:
        tight = census.widths_follow_rows(self.batches)
        parts = [census.ends(b, tight) for b in self.batches]
        names = self.names

        def same(found: set[tuple[str, int]]) -> bool:
            return names.one(found, "pad", pad) and names.one(found, "eos", pad)

        return EndOfText(
            pad,
            sum(p.rows for p in parts),
            sum(p.padded for p in parts),
            sum(p.ended for p in parts),
            sum(p.absent for p in parts),
            sum(p.counted for p in parts),
            "script" if same(names.script) else "tokenizer" if same(names.tokenizers) else "",
            self.where,
        )

    # -- how far it sees ---------------------------------------------------------------------

    def _see(self, look: Look) -> None:
        try:
            ids, states = look.ids, states_of(look)
            if states.shape[-1] == look.classes:
                self.ce = {lag: loss_at(states, ids, lag, look.pad) for lag in LAGS}
            self.reach = reach_of(look, states, ids)
        except NoReplay:
            return

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """What the looks found; a refused target when there was nothing to look at."""
        yield from self.found
        kinds = {type(f) for f in self.found}
        if self.crash is not None:
            value, place = self.crash
            yield LabelCensus("other", 0, 0, 0, self.ignore_index, crash_value=value, where=place)
        for kind in (Objective, LabelCensus):
            if kind not in kinds and (kind is Objective or self.crash is None):
                yield Unavailable(kind.__name__, self.because)
        if RowStarts not in kinds:
            yield Unavailable("RowStarts", Reason("no-whole-rows") if kinds else self.because)
        if EndOfText not in kinds:
            yield Unavailable(
                "EndOfText", Reason("no-padding-recognised") if kinds else self.because
            )
        if Corruption not in kinds:
            other = Reason("not-masked")
            yield Unavailable("Corruption", other if kinds else self.because)
