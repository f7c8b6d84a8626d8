"""The weight of a label in each micro-step (evidence ``Accumulation``)."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shindan.core.evidence.accumulation import Accumulation, Window
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes import handwritten
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import BackwardCall, LossCall, OptimizerStep
from shindan.probes.probe import Probe
from shindan.probes.session import Session

FIRST = 48
"""Windows kept from the beginning; then one in EVERY."""
EVERY = 16
MOST = 256
LONGEST = 256
"""Micro-steps kept of one window."""
TERMS = 8
"""Losses over labels heard of one micro-step."""


@dataclass(eq=False)
class _Micro:
    line: int | None = None
    loss: int | None = None
    rate: float = 0.0
    scale: float = 1.0
    labels: float | None = None
    weight: float | None = None
    terms: "list[_Micro]" = field(default_factory=list)
    factors: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        """What this term weighs in all."""
        return (self.labels or 0.0) * (self.weight or 0.0)


@dataclass(eq=False)
class _Window:
    update: int
    micro: list[_Micro] = field(default_factory=list)


class AccumulationProbe(Probe):
    """Follows the gradient into the language loss of each micro-step of sampled windows."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.windows: list[_Window] = []
        self.current: _Window | None = _Window(0)
        self.pending: tuple[int, _Micro] | None = None
        self.terms: list[_Micro] = []
        self.loss: Where = NOWHERE
        self.backward: Where = NOWHERE

    def on_loss(self, call: LossCall) -> None:
        """Listen to the gradient that arrives at each loss of a micro-step over labels.

        The largest is the language loss.
        """
        listening = self.current is not None and call.grad and call.kind in LANGUAGE
        if not listening or call.target.is_floating_point() or not call.output.requires_grad:
            return
        size = call.target.numel()
        micro = _Micro(loss=call.where.line)
        if len(self.terms) < TERMS:
            self.terms.append(micro)
        if self.pending is None or self.pending[0] <= size:
            self.pending = (size, micro)
            self.loss = call.where
        elif micro not in self.terms:
            return
        counted = (call.target != call.params["ignore_index"]).sum()
        reduction = call.params["reduction"]

        def arrived(grad: Tensor) -> None:
            if self.session.looking:
                return
            if reduction == "none":
                self._each(micro, grad)
            else:
                per_label = counted if reduction == "mean" else torch.ones_like(counted)
                self._post(micro, counted, grad.detach() / per_label)

        with torch.enable_grad():
            call.output.register_hook(arrived)

    def on_backward(self, backward: BackwardCall) -> None:
        """One micro-step; a hand-written loss is found in its graph."""
        window = self.current
        if window is None:
            return
        micro = self.pending[1] if self.pending is not None else _Micro()
        if self.pending is None:
            found = handwritten.find(backward.loss)
            if found is not None and found.node is not None:
                found.node.register_prehook(lambda grads, m=micro: self._each(m, grads[0]))
                self.loss = backward.losses[-1].where if backward.losses else self.loss
        micro.terms, micro.factors = self.terms, tuple(_factors(backward.unscaled))
        self.pending, self.terms = None, []
        self.backward = backward.where()
        optimizer = self.session.main_optimizer
        micro.line = self.backward.line
        micro.rate = float(optimizer.param_groups[0]["lr"]) if optimizer else 0.0
        if backward.scale is not None:
            self.session.mail.post(backward.scale, lambda v: setattr(micro, "scale", v))
        if len(window.micro) < LONGEST:
            window.micro.append(micro)

    def _each(self, micro: _Micro, grad: Tensor) -> None:
        """``grad`` holds one number for each label; zero where it does not count."""
        counted = (grad != 0).sum()
        self._post(micro, counted, grad.detach().abs().sum() / counted.clamp(min=1))

    def _post(self, micro: _Micro, labels: Tensor, weight: Tensor) -> None:
        mail = self.session.mail
        with self.session.at_work():
            mail.post(labels, lambda v: setattr(micro, "labels", v))
            mail.post(weight.abs(), lambda v: setattr(micro, "weight", v))

    def on_step_done(self, step: OptimizerStep) -> None:
        """A window ends with a step of the main optimizer."""
        if step.optimizer is not self.session.main_optimizer:
            return
        if self.current is not None and len(self.current.micro) > 1:
            self.windows.append(self.current)
        self.pending, self.terms = None, []
        following = step.update + 1
        due = following < FIRST or following % EVERY == 0
        self.current = _Window(following) if due and len(self.windows) < MOST else None

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The windows so far."""
        windows = tuple(_window(w) for w in self.windows if _complete(w))
        if windows:
            yield Accumulation(windows, self.loss, self.backward)
        else:
            yield Unavailable("Accumulation", Reason("no-accumulation"))


def _complete(window: _Window) -> bool:
    known = all(m.labels and m.weight is not None for m in window.micro)
    return known and len(window.micro) < LONGEST


def _window(window: _Window) -> Window:
    micro = window.micro
    return Window(
        update=window.update,
        labels=tuple(int(m.labels or 0) for m in micro),
        weights=tuple((m.weight or 0.0) / (m.scale or 1.0) for m in micro),
        lines=tuple(m.line or 0 for m in micro),
        losses=tuple(m.loss or 0 for m in micro),
        rates=tuple(m.rate for m in micro),
        heaviest=tuple(max(t.share for t in (m, *m.terms)) / (m.scale or 1.0) for m in micro),
        factors=tuple(sorted({f for m in micro for f in m.factors})),
    )


def _factors(loss: Tensor) -> Iterator[float]:
    """The numbers that the terms of the loss are multiplied by, in the tail of its graph."""
    queue, seen = deque([loss.grad_fn]), 0
    while queue and seen < handwritten.NODES:
        node, seen = queue.popleft(), seen + 1
        name = "" if node is None else node.name()
        if node is None or not name.startswith(handwritten.TAIL):
            continue
        other = getattr(node, "_saved_other", None)
        if isinstance(other, Tensor) and other.numel() == 1 and other.device.type == "cpu":
            value = float(other)
            if value and name.startswith(("Mul", "Div")):
                yield value if name.startswith("Mul") else 1 / value
        queue.extend(below for below, _ in node.next_functions)
