"""Micro-steps kept for the next deep look: their loss calls and integer arguments, nothing more."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from shindan.core.finding import Where
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import BatchEvent, LossCall
from shindan.probes.session import Session
from shindan.probes.trees import leaves

DENSE = 16
"""The first micro-steps are all kept, later ones at distances of a sixteenth of their number."""
WAITING = 24
TOKENS = 1 << 19
"""Samples, and tokens in them, that may wait for a look."""
BATCHES = 6
"""Batches of a loader held by reference: as many as usual scripts gather before one update."""

Named = dict[str, Tensor]


@dataclass(eq=False)
class Counted:
    """One loss call: ``target`` flat; ``uses``: which rows had a gradient (None: not yet known).

    ``rows`` is the number of rows of the input, ``waits`` true until its gradient has come.
    """

    target: Tensor
    ignore_index: int
    weight: Tensor | None
    where: Where
    waits: bool
    uses: Tensor | None = None

    def labels(self, ignore: int) -> Tensor:
        """(N,) labels; ``ignore`` where they count for nothing."""
        target = self.target.reshape(-1).long()
        ignored = target == self.ignore_index
        if self.weight is not None:
            ignored |= self.weight.to(target.device)[target.clamp(min=0)] == 0
        if self.uses is not None:
            ignored |= ~self.uses.to(target.device)
        return torch.where(ignored, ignore, target)


@dataclass(eq=False)
class Sample:
    """One micro-step. ``captured``: the coming look replays this very one."""

    micro: int
    captured: bool
    args: Named
    batches: list[Named]
    losses: list[Counted] = field(default_factory=list)


class Sampler:
    """Decides which micro-steps to keep, and keeps them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.waiting: list[Sample] = []
        self.recent: deque[Named] = deque(maxlen=BATCHES)
        self._next = 0
        self._held = 0

    def handed(self, event: BatchEvent) -> None:
        """Remember what small integer tensors a batch holds (by reference)."""
        self.recent.append(integers(event.batch))

    def heard(self, call: LossCall) -> None:
        """Keep a training loss of a language model, if its micro-step is sampled."""
        if not call.grad or call.kind not in LANGUAGE or call.target.is_floating_point():
            return
        sample = self._sample(call)
        if sample is None or len(sample.losses) >= 4:
            return
        heard = Counted(
            call.target.detach().clone(),
            call.params["ignore_index"],
            call.params.get("weight"),
            call.where,
            waits=call.output.requires_grad,
        )
        sample.losses.append(heard)
        if call.output.requires_grad:
            each = call.output.numel() == call.target.numel()

            def arrived(grad: Tensor) -> None:
                heard.waits = False
                if each:
                    heard.uses = grad.detach().reshape(-1) != 0

            with torch.enable_grad():
                call.output.register_hook(arrived)

    def taken(self) -> list[Sample]:
        """What waits, oldest first; the waiting room is empty afterwards."""
        waiting, self.waiting, self._held = self.waiting, [], 0
        return waiting

    def _sample(self, call: LossCall) -> Sample | None:
        micro, captured = self.session.micro, self.session.capturing
        if self.waiting and self.waiting[-1].micro == micro:
            self.waiting[-1].captured |= captured
            return self.waiting[-1]
        room = len(self.waiting) < WAITING and self._held + call.target.numel() <= TOKENS
        if not captured and (micro < self._next or not room):
            return None
        self._next = micro + max(1, micro // DENSE)
        self._held += call.target.numel()
        sample = Sample(micro, captured, self._arguments(call), list(self.recent))
        self.waiting.append(sample)
        return sample

    def _arguments(self, call: LossCall) -> Named:
        """The integer arguments of the forward the loss belongs to, else of the one before it."""
        calls = [call.forward, *reversed(self.session.calls)]
        for forward in calls:
            if forward is not None:
                found = integers({"args": forward.args, "kwargs": forward.kwargs})
                if found:
                    return {name: t.detach().clone() for name, t in found.items()}
        return {}


def integers(tree: Any) -> Named:
    """Integer and boolean tensors of one or two dimensions, by path."""
    return {
        name: t
        for name, t in leaves(tree)
        if not t.is_floating_point() and not t.is_complex() and t.ndim in (1, 2)
    }
