"""One training batch, evaluated in eval mode at every look: does the model learn at all?"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.curve import FixedBatch, FixedPoint, Prediction
from shindan.core.reason import Reason
from shindan.probes.capture import IGNORE
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.rows.tokenizers import Found, tokenizers
from shindan.probes.session import Session

SHOWN = 12
GOLDEN = 0.618034
"""Multiples of it, modulo 1, are spread evenly however many there are."""
"""Positions in the table of predictions."""
TOP = 5
LARGEST = 1 << 29
"""Numbers in one batch of logits above which it is not evaluated again."""


class FixedBatchProbe(Probe):
    """Evidence ``FixedBatch``: the first batch that was looked at, again at every look."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.first: Look | None = None
        self.points: list[FixedPoint] = []
        self.predictions: tuple[Prediction, ...] = ()
        self.because = Reason("not-looked")

    def on_look(self, look: Look) -> None:
        """Evaluate the first look's batch with the parameters of now."""
        if self.first is None or self.first.module is not look.module:
            if self.points and look.last:
                return
            self.first, self.points = look, []
        try:
            self._evaluate(self.first, look.update, look.last)
        except NoReplay as reason:
            self.because = reason.reason
        except torch.OutOfMemoryError:
            self.because = Reason("no-memory")

    def _evaluate(self, first: Look, update: int, last: bool) -> None:
        labels = first.labels
        counted = labels != IGNORE
        if labels.numel() * first.classes > LARGEST:
            raise NoReplay("logits-too-large")
        logits = first.logits()
        counted &= logits.isfinite().all(-1)
        if not bool(counted.any()):
            raise NoReplay("no-finite-logits")
        rows, truth = logits[counted], labels[counted]
        best = rows.argmax(-1)
        self.points.append(
            FixedPoint(
                update=update,
                loss=float(cross_entropy(rows, truth)),
                accuracy=float((best == truth).float().mean()),
                commonest=float(best.bincount().max()) / len(best),
            )
        )
        if last:
            self.predictions = tuple(_table(logits, labels, counted))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The points so far, and at the end the table."""
        if self.points:
            yield FixedBatch(tuple(self.points), self.predictions)
        else:
            yield Unavailable("FixedBatch", self.because)


def _table(logits: Tensor, labels: Tensor, counted: Tensor) -> Iterator[Prediction]:
    """Truth against the five best at positions spread over the batch; text if it can be had."""
    places = counted.nonzero()
    reader = _reader(logits.shape[-1])
    for row, position in places[_spread(len(places))].tolist():
        here, truth = logits[row, position], int(labels[row, position])
        top = here.topk(min(TOP, len(here)))
        ids = tuple(top.indices.tolist())
        text = reader.text(truth) if reader else None
        yield Prediction(
            row=row,
            position=position,
            truth=truth,
            top=ids,
            logits=tuple(round(v, 4) for v in top.values.tolist()),
            rank=int((here > here[truth]).sum()) + 1,
            truth_text=text,
            top_text=tuple(reader.text(i) or "" for i in ids) if reader and text else (),
        )


def _spread(n: int) -> list[int]:
    """At most SHOWN of n indices, one in each stretch, at another share of it each time.

    Equal steps would often be whole rows, and show one position only.
    """
    shown = min(SHOWN, n)
    return sorted({int((i + (i * GOLDEN) % 1) * n / shown) for i in range(shown)})


def _reader(classes: int) -> Found | None:
    """The only tokenizer of the run, if its ids fit the head."""
    found = tokenizers()
    sizes = {f.size for f in found}
    return found[0] if len(sizes) == 1 and found[0].size <= classes else None
