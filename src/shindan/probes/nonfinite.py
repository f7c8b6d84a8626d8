"""The first number that is not finite, traced before the update that would hide where it arose.

On the CPU every loss and every gradient norm is looked at. A bad loss is traced at once: the
model's calls since the last update are replayed under :class:`~shindan.probes.optrace.OpTrace`;
what the script computes after the model is read from the live graph (:mod:`.tail`). On a GPU
looking would make the run wait: only the step is noted.
"""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operation, Weight
from shindan.core.finding import Where
from shindan.probes import tail
from shindan.probes.capture import plain
from shindan.probes.events import BackwardCall, ClipCall, ForwardCall, OptimizerStep
from shindan.probes.gradients import gradient_norm
from shindan.probes.optrace import OpTrace, gradients, sequence_number
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters
from shindan.probes.trees import leaves
from shindan.probes.untouched import set_rng_state, untouched

WINDOW = 16
"""Calls of the model kept between updates, by reference to their arguments."""
TRACES = 4
"""Events traced at most in one run."""
EAGER = 4
"""Micro-steps whose tail is always walked; then at doubling ones, unless it can harm."""
ON_GPU = "on-gpu"
"""Where it arose could not be checked on a GPU without making the run wait."""
OUTSIDE = "outside"
"""It arose outside the model's forward, in operations that keep nothing to tell it by."""
LONG = "long"
"""The update gathers more than WINDOW calls of the model."""
BROKEN = "broken"
"""Parameters were not finite any more."""


@dataclass
class _Seen:
    event: Event
    applied: bool = False
    judged: bool = False


@dataclass
class _Tail:
    """What the graph after the model's last call told at ``backward``."""

    danger: Operation | None = None
    lines: dict[tuple[str, ...], tuple[Where, ...]] = field(default_factory=dict)
    harmful: bool = False
    wanted: bool = True
    learning: bool = False


class NonFinite(Probe):
    """Evidence ``FirstNonFinite``."""

    def on_start(self, session: Session) -> None:
        """Nothing has happened."""
        self.session = session
        self.seen: list[_Seen] = []
        self.window: list[ForwardCall] = []
        self.models: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.overflowed, self.boundary, self.scaled = False, 0, False
        self.tail = _Tail()
        self.bad = self.micro = self.lost = self.lost_at = 0

    # -- what a replay needs ---------------------------------------------------------------

    def on_forward(self, call: ForwardCall) -> None:
        """Keep the call and the random state it starts from (one microsecond)."""
        self._stop_learning()
        self.models.add(call.module)
        if not call.grad or call.autocast[0] != "cpu" or len(self.seen) >= TRACES:
            return
        if call.rng is None:
            call.rng = {"torch": torch.get_rng_state()}
        self.window.append(call)
        if len(self.window) > WINDOW:
            self.overflowed = True
            del self.window[0]

    def on_output(self, call: ForwardCall) -> None:
        """What the graph gets from here on is the script's own; learn its lines once."""
        if not call.grad:
            return
        self.boundary = sequence_number()
        eager = call.autocast[0] == "cpu" and not self.session.compiled
        if self.tail.wanted and eager and not torch.is_anomaly_enabled():
            self.tail.learning = True
            torch.set_anomaly_enabled(True, False)

    def _stop_learning(self) -> None:
        if self.tail.learning:
            self.tail.learning = False
            torch.set_anomaly_enabled(False)

    # -- when it is seen ---------------------------------------------------------------------

    def on_backward(self, backward: BackwardCall) -> None:
        """The loss, and what could make the gradient of a finite loss NaN."""
        learnt = self.tail.learning
        self._stop_learning()
        self.micro += 1
        self.scaled = self.scaled or backward.scale is not None
        loss = backward.unscaled.detach()
        if loss.device.type != "cpu":
            at = backward.index, backward.update
            self.session.mail.post(loss, lambda v: self._latched(v, "loss", *at))
            return
        finite = bool(loss.isfinite())
        self.bad += not finite
        if len(self.seen) >= TRACES:
            return
        index = backward.index
        again = learnt or index < EAGER or index & (index - 1) == 0
        nodes: list[Any] = []
        if again or self.tail.harmful or not finite:
            nodes = tail.newest(backward.loss, self.boundary)
        if again:
            self._learn(nodes, learnt)
        if not finite:
            self._add("loss", lambda: self._forward_chain(nodes))
        elif self.tail.danger is None and self.tail.harmful:
            self.tail.danger = self._placed(nodes, tail.backward_fault(nodes))

    def on_zero_grad(self, owner: object) -> None:
        """What the last graph held is no danger any more."""
        self.tail.danger = None

    def _learn(self, nodes: list[Any], learnt: bool) -> None:
        known, key = self.tail.lines, tail.structure(nodes)
        self.tail.harmful = tail.dangerous(nodes)
        if learnt:
            known[key] = tail.written(nodes)
        self.tail.wanted = self.tail.harmful and key not in known and len(known) < TRACES

    def _placed(self, nodes: list[Any], found: tuple[int, Operation] | None) -> Operation | None:
        if found is None:
            return None
        lines = self.tail.lines.get(tail.structure(nodes))
        place = lines[found[0]] if lines else Where()
        return replace(found[1], file=place.file, line=place.line)

    def on_clip(self, clip: ClipCall) -> None:
        """The norm before an update that the script may skip; a GradScaler skips by itself."""
        if clip.norm is not None:
            self._looked_at(clip.norm)

    def on_norm(self, norm: Tensor, tensors: list[Tensor]) -> None:
        """The same where a loop asks for the norm first, to skip the update before clipping."""
        known = (id(p.grad) for model in self.models for p in model.parameters())
        if not {id(tensor) for tensor in tensors}.isdisjoint(known):
            self._looked_at(norm)

    def _looked_at(self, norm: Tensor) -> None:
        if self.scaled or norm.device.type != "cpu" or bool(norm.isfinite()):
            return
        if self.lost_at != self.micro:
            self.lost, self.lost_at = self.lost + 1, self.micro
        self._gradient(norm)

    def on_step(self, step: OptimizerStep) -> None:
        """The gradient, before it is applied."""
        if not step.closure:
            self._before(step)

    def on_step_done(self, step: OptimizerStep) -> None:
        """With a closure the gradient is there only now; did weights survive?"""
        if step.closure:
            self._before(step)
        self.window, self.overflowed, self.tail.danger = [], False, None
        for seen in self.seen:
            if not seen.judged:
                seen.judged = True
                broken = seen.applied or _broken(parameters(step.optimizer))
                seen.event = replace(seen.event, harm="weights" if broken else "none")

    def _before(self, step: OptimizerStep) -> None:
        norms = [c.norm for c in step.clips if c.norm is not None]
        norm = norms[-1] if norms else gradient_norm(step)
        if norm is None or self._settled():
            return
        if norm.device.type != "cpu":
            at = self.session.micro, step.update
            self.session.mail.post(norm, lambda v: self._latched(v, "gradient", *at))
        elif self._gradient(norm):
            self.seen[-1].applied = True

    def _gradient(self, norm: Tensor) -> bool:
        """True when this norm is not finite: it is traced unless this step already was."""
        if bool(norm.isfinite()):
            return False
        if all(s.judged for s in self.seen):
            self._add("gradient", self._backward_chain)
        return not self.seen[-1].judged

    def _settled(self) -> bool:
        return len(self.seen) >= TRACES or any(s.event.harm == "weights" for s in self.seen)

    def _latched(self, value: float, kind: Any, micro: int, update: int) -> None:
        if value - value != 0.0:
            self.bad += kind == "loss"
            if not self.seen:
                self.seen.append(_Seen(Event(update, micro, kind, because=ON_GPU), judged=True))

    def _add(self, kind: Any, trace: Any) -> None:
        if self._settled():
            return
        roots = {id(c.module): plain(c.module) for c in self.window}.values()
        named = [(n, p) for r in roots for n, p in r.named_parameters()]
        broken = tuple(n for n, p in named if not bool(p.isfinite().all()))
        chain: tuple[Operation, ...] = ()
        because = BROKEN if broken else ""
        if not broken:
            chain = trace()
            because = "" if chain else (LONG if self.overflowed else OUTSIDE)
        at, seen = (self.session.update, self.session.micro, kind), _largest(named)
        made = Event(*at, chain, because, largest=seen, broken=broken[:5])
        self.seen.append(_Seen(made))

    # -- tracing ----------------------------------------------------------------------------

    def _forward_chain(self, nodes: list[Any]) -> tuple[Operation, ...]:
        for call in reversed(self.window):
            chain = self._replayed(call, backward=False)
            if chain:
                return chain
        found = self._placed(nodes, tail.forward_fault(nodes))
        return (found,) if found else ()

    def _backward_chain(self) -> tuple[Operation, ...]:
        if self.tail.danger is not None:
            return (self.tail.danger,)
        for call in reversed(self.window):
            chain = self._replayed(call, backward=True)
            if chain:
                return chain
        return ()

    def _replayed(self, call: ForwardCall, backward: bool) -> tuple[Operation, ...]:
        if not call.args and not call.kwargs:
            return ()
        module = plain(call.module)
        with self._aside(module):
            _rewind(call.rng)
            trace = OpTrace(module)
            device, enabled, dtype = call.autocast
            with torch.enable_grad(), trace:
                with torch.autocast(device, dtype=dtype, enabled=enabled):
                    output = module(*call.args, **call.kwargs)
                outputs = [t for _, t in leaves(output) if t.is_floating_point()]
                if not backward:
                    return trace.chain(outputs)
                return trace.chain(gradients(module, outputs))

    @contextmanager
    def _aside(self, module: nn.Module) -> Iterator[None]:
        """Our own calls of the model: nobody is told, everything is put back."""
        self.session.looking = True
        try:
            with untouched([module]):
                yield
        finally:
            self.session.looking = False
            self.session.overheard.clear()

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The first event that harmed, else the first."""
        events = [s.event for s in self.seen]
        if not events:
            yield FirstNonFinite()
        else:
            first = next((e for e in events if e.harm != "none"), events[0])
            yield FirstNonFinite(replace(first, batches=self.bad, of=self.micro, lost=self.lost))


def _rewind(rng: dict[str, Any]) -> None:
    if "python" in rng:
        set_rng_state(rng)
    else:
        torch.set_rng_state(rng["torch"])


def _broken(tensors: Iterable[Tensor]) -> bool:
    return any(not bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def _largest(named: Sequence[tuple[str, Tensor]]) -> tuple[Weight, ...]:
    sizes = [Weight(n, float(p.detach().float().square().mean().sqrt())) for n, p in named]
    finite = [w for w in sizes if w.rms < float("inf")]
    return tuple(sorted(finite, key=lambda w: -w.rms)[:3])
