"""Perplexities in prints and logs, held against the evaluation before them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.perplexity import Perplexities, ToldPerplexity
from shindan.core.finding import Where
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import BackwardCall, LogEvent, LossCall
from shindan.probes.printed import slack
from shindan.probes.probe import Probe
from shindan.probes.session import Session

LABEL = re.compile(
    r"(?:ppl|perplexity)\w*['\"]?[\s:=|>(\[]{1,6}(?P<number>\d*\.\d+(?:[eE][+-]?\d+)?)", re.I
)
MOST = 4000
"""Evaluation losses of one stretch that are kept; a longer one is not judged."""
TOLD = 16


@dataclass(eq=False)
class _Batch:
    loss: float = float("nan")
    labels: float = 0.0


@dataclass(frozen=True)
class _Told:
    value: float
    slack: float
    batches: Sequence[_Batch]
    where: Where


class PerplexitiesProbe(Probe):
    """Evaluation losses since the last backward or word of them, and the perplexities told."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.batches: list[_Batch] = []
        self.told: list[_Told] = []

    def on_backward(self, backward: BackwardCall) -> None:
        """Training goes on."""
        self.batches = []

    def on_loss(self, call: LossCall) -> None:
        """Keep the mean loss and the number of labels of an evaluation's batch."""
        language = call.kind in LANGUAGE and not call.target.is_floating_point()
        if call.grad or not language or len(self.told) >= TOLD or len(self.batches) > MOST:
            return
        counted = (call.target != call.params["ignore_index"]).sum()
        mean = _mean(call, counted)
        batch = _Batch()
        self.batches.append(batch)
        self.session.mail.post(mean, lambda v: setattr(batch, "loss", v))
        self.session.mail.post(counted, lambda v: setattr(batch, "labels", v))

    def on_log(self, event: LogEvent) -> None:
        """Is a perplexity told?"""
        if not self.batches or len(self.batches) > MOST or len(self.told) >= TOLD:
            return
        found = LABEL.search(event.text)
        if found is not None:
            number = found["number"]
            self.told.append(_Told(float(number), slack(number), self.batches, event.where))
            self.batches = []

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """What was told, with the three averages."""
        told = tuple(t for t in map(_averaged, self.told) if t is not None)
        if told:
            yield Perplexities(told)
        else:
            yield Unavailable("Perplexities", Reason("no-perplexity-told"))


def _mean(call: LossCall, counted: Tensor) -> Tensor:
    output = call.output.detach().float()
    if call.params["reduction"] == "mean":
        return output
    return output.sum() / counted


def _averaged(told: _Told) -> ToldPerplexity | None:
    losses = [b.loss for b in told.batches]
    labels = sum(b.labels for b in told.batches)
    if not labels or not all(0 <= loss < 50 for loss in losses):
        return None
    return ToldPerplexity(
        told.value,
        told.slack,
        len(losses),
        math.exp(sum(b.loss * b.labels for b in told.batches) / labels),
        math.exp(sum(losses) / len(losses)),
        sum(map(math.exp, losses)) / len(losses),
        told.where,
    )
