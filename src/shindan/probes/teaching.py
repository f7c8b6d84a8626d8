"""The teacher and the student on the same labels (evidence ``Teaching``)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.teaching import Teaching, TeachingPoint
from shindan.core.reason import Because, Reason
from shindan.probes.capture import IGNORE, plain
from shindan.probes.distillation import Distillation
from shindan.probes.events import ForwardCall
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.trees import leaves
from shindan.probes.untouched import untouched

CALLS = 4
"""Calls without gradients kept between two updates, by reference to their arguments."""
LABELS = 4096
"""Labels judged at most, evenly spread over the batch."""


class TeachingProbe(Probe):
    """At deep looks the call that the teacher had for this batch is made again, in eval mode."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.calls: list[ForwardCall] = []
        self.points: dict[int, list[TeachingPoint]] = {}
        self.because: Because = Reason("no-two-models")

    def on_forward(self, call: ForwardCall) -> None:
        """Keep the arguments of calls without gradients in updates that will be looked at."""
        session = self.session
        if not call.grad and (session.capturing or session.schedule.due(session.update)):
            self.calls = [*self.calls, call][-CALLS:]

    def on_look(self, look: Look) -> None:
        """Both models' losses on the labels of the batch."""
        calls, self.calls = self.calls, []
        if look.last:
            return
        for call in reversed(calls):
            number = self._number(call)
            if number is None or plain(call.module) is plain(look.module):
                continue
            try:
                point = _compared(look, call)
            except NoReplay as reason:
                self.because = reason.reason
                return
            if point is not None:
                self.points.setdefault(number, []).append(point)
                return

    def _number(self, call: ForwardCall) -> int | None:
        for probe in self.session.probes:
            if isinstance(probe, Distillation):
                for watched in probe.roots.seen:
                    if watched.ref() is plain(call.module):
                        return watched.number
        return None

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The model that was met most often."""
        if self.points:
            root, points = max(self.points.items(), key=lambda item: len(item[1]))
            yield Teaching(root, tuple(points))
        else:
            yield Unavailable("Teaching", self.because)


def _compared(look: Look, call: ForwardCall) -> TeachingPoint | None:
    """None when this call was not given the batch's ids, or answered with other classes."""
    ids, labels = look.ids, look.labels
    given = [t for _, t in leaves((call.args, call.kwargs))]
    if not any(torch.equal(t, ids) or torch.equal(t, ids.T) for t in given):
        return None
    chosen = (labels != IGNORE).flatten().nonzero().flatten()
    chosen = chosen[:: max(1, -(-len(chosen) // LABELS))]
    if not len(chosen):
        return None
    answer = _answer(look, call)
    if answer is None:
        return None
    truth = labels.flatten()[chosen]
    losses = [
        nn.functional.cross_entropy(logits.flatten(0, 1)[chosen].float(), truth)
        for logits in (answer, look.logits())
    ]
    teacher, student = torch.stack(losses).tolist()
    return TeachingPoint(look.update, teacher, student, len(chosen))


def _answer(look: Look, call: ForwardCall) -> Tensor | None:
    """(B, T, V) logits of the call made again."""
    module = call.module
    device, enabled, dtype = call.autocast
    with untouched([module]), torch.autocast(device, dtype=dtype, enabled=enabled):
        module.eval()
        output = module(*call.args, **call.kwargs)
    b, t = look.ids.shape
    shape = (b, t) if look.first_is_batch else (t, b)
    for _, leaf in leaves(output):
        whole = leaf.ndim >= 2 and leaf.shape[-1] == look.classes and leaf.is_floating_point()
        if whole and leaf.numel() == b * t * look.classes:
            logits = leaf.detach().reshape(*shape, look.classes)
            return logits if look.first_is_batch else logits.transpose(0, 1)
    return None
