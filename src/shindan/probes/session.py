"""One watched run: what is happening now, who wants to hear of it, and what looking may cost."""

import functools
import os
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.probes import handwritten
from shindan.probes.byhand import ByHand
from shindan.probes.capture import LANGUAGE, Capture, capture
from shindan.probes.compiled import CompiledLosses, eagerly
from shindan.probes.dispatch import Dispatcher
from shindan.probes.eras import Eras
from shindan.probes.events import (
    BackwardCall,
    ClipCall,
    ForwardCall,
    LossCall,
    OptimizerStep,
    ScalerEvent,
)
from shindan.probes.frames import where
from shindan.probes.look import Look
from shindan.probes.mailbox import Mailbox
from shindan.probes.probe import Probe
from shindan.probes.schedule import LookSchedule
from shindan.probes.trimming import trimmed
from shindan.probes.untouched import rng_state, untouched

Gathered = dict[type[Evidence], Evidence]


class Session(Dispatcher):
    """The state of one run.

    ``micro`` counts backward calls, ``update`` the updates of the main optimizer (the one with
    the most elements; summed over models trained one after another). ``looking`` is true during
    deep looks: then nothing is dispatched, and loss calls go to ``overheard``.
    """

    def __init__(self, probes: Sequence[Probe], *, flush: Callable[[], None] | None = None) -> None:
        super().__init__(probes)
        self.mail = Mailbox()
        self.schedule = LookSchedule()
        self.started = time.monotonic()
        self.micro = 0
        self.forwards = 0
        self.looking = False
        self.overheard: list[LossCall] = []
        self.optimizers: list[weakref.ref[torch.optim.Optimizer]] = []
        self.updates: weakref.WeakKeyDictionary[torch.optim.Optimizer, int] = (
            weakref.WeakKeyDictionary()
        )
        self.eras = Eras()
        self.compiled = False
        self.ended = "running"
        self.calls: list[ForwardCall] = []
        self.losses: list[LossCall] = []
        self.current: ForwardCall | None = None
        self.last_call: ForwardCall | None = None
        self.clips: list[ClipCall] = []
        self.micro_since: weakref.WeakKeyDictionary[torch.optim.Optimizer, int] = (
            weakref.WeakKeyDictionary()
        )
        self.stepping: OptimizerStep | None = None
        self.schedulers: list[weakref.ref[Any]] = []
        self.fresh: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.id_files: dict[str, str] = {}
        self._by_hand = ByHand()
        self._compiled_losses = CompiledLosses()
        self._flush = flush
        self._pid = os.getpid()
        self._capture: Capture | None = None
        self.tell("on_start", self)

    # -- dispatch ---------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """False in forked children and while Shindan itself is at work."""
        return not self._busy and not self.looking and os.getpid() == self._pid

    @property
    def capturing(self) -> bool:
        """Is the running micro-step being captured for a deep look?"""
        return self._capture is not None and not self._capture.closed

    @property
    def look_follows(self) -> bool:
        """Will the update whose gradients are ready be looked at deeply?"""
        return self._capture is not None and self._capture.closed

    # -- what is happening ------------------------------------------------------------------

    @property
    def main_optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer with the most elements among those at work (else built)."""
        alive = [o for r in self.optimizers if (o := r()) is not None]
        return max([o for o in alive if o in self.eras] or alive, key=_elements, default=None)

    @property
    def update(self) -> int:
        """Updates made by the main optimizer."""
        return self.eras.total

    def optimizer_built(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer exists."""
        if all(r() is not optimizer for r in self.optimizers):
            self.optimizers.append(weakref.ref(optimizer))
            self.tell("on_optimizer", optimizer)

    def forward_begins(self, module: nn.Module, args: Any, kwargs: Any, grad: bool) -> ForwardCall:
        """A root call begins; ``grad``: the script records gradients."""
        self.updated_by_hand()
        device = _device_type(module)
        call = ForwardCall(
            module,
            args,
            kwargs,
            training=module.training,
            grad=grad,
            index=self.forwards,
            autocast=(
                device,
                torch.is_autocast_enabled(device),
                torch.get_autocast_dtype(device),
            ),
        )
        self.forwards += 1
        self.current = call
        if call.grad:
            if self.schedule.due(self.update) and self._wants(call):
                call.rng = rng_state()
                self._capture = capture(call, self.update)
            self.calls.append(call)
            del self.calls[:-8]
        self.tell("on_forward", call)
        return call

    def forward_ends(self, call: ForwardCall, output: Any) -> None:
        """A root call returned."""
        self.current = None
        self.last_call = call
        call.output = output
        if self._capture is not None and self._capture.live is call:
            self._capture.returned(output)
        loss = self._compiled_losses.of(call, self.micro)
        if loss is not None:
            self.loss_called(loss)
        self.tell("on_output", call)
        call.release()

    def loss_called(self, call: LossCall) -> None:
        """A loss function returned."""
        if call.grad:
            self.losses.append(call)
            del self.losses[:-32]
            taken = self._capture
            if taken is not None and not taken.closed and not call.compiled:
                taken.lost(call)
        self.tell("on_loss", call)
        call.release()

    def backward_begins(self, loss: Tensor, unscaled: Tensor, scale: Tensor | None) -> BackwardCall:
        """An outermost backward begins."""
        if not any(c.kind in LANGUAGE for c in self.losses):
            self._read_graph(loss)
        if self.compiled and not any(c.kind in LANGUAGE for c in self.losses):
            self.guarded(
                "loss of a compiled region",
                lambda: self._compiled_losses.learn(self, self.calls),
            )
        backward = BackwardCall(
            loss, unscaled, scale, self.micro, self.update, self.calls, self.losses, where
        )
        self.tell("on_backward", backward)
        if self._capture is not None:
            self._capture.closed = True
        self.calls, self.losses, self.last_call = [], [], None
        return backward

    def _read_graph(self, loss: Tensor) -> None:
        """Tell of a hand-written language loss as if ``nll_loss`` had been called."""
        found = handwritten.find(loss)
        if found is None:
            return
        call = LossCall(
            kind="nll_loss",
            shape=tuple(found.log_probs.shape),
            input=found.log_probs,
            target=found.target,
            params={"ignore_index": handwritten.IGNORE, "reduction": "mean", "weight": None},
            output=handwritten.mean_loss(found),
            where=where(),
            grad=True,
            inside=False,
            forward=self.last_call,
            index=self.micro,
        )
        self.loss_called(call)

    def backward_ends(self, backward: BackwardCall) -> None:
        """An outermost backward returned."""
        self.micro += 1
        for key in self.micro_since:
            self.micro_since[key] += 1
        self.tell("on_backward_done", backward)
        if self._without_optimizer():
            self._by_hand.after_backward(c.module for c in backward.calls)

    def updated_by_hand(self) -> None:
        """Without any optimizer: has the script's own loop moved the parameters?"""
        stand_in = self._by_hand.updated() if self._without_optimizer() else None
        if stand_in is not None:
            self.step_begins(stand_in, closure=False)
            self.step_ends(stand_in)

    def clipped(self, clip: ClipCall) -> None:
        """Gradients were clipped."""
        self.clips.append(clip)
        self.tell("on_clip", clip)

    def scaler_used(self, event: ScalerEvent) -> None:
        """A GradScaler was used."""
        self.tell("on_scaler", event)

    def step_begins(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer is about to step."""
        self.optimizer_built(optimizer)
        if self.eras.begins(optimizer):
            self.schedule.restart(self.update)
        step = OptimizerStep(
            optimizer,
            self.updates.get(optimizer, 0),
            self.micro_since.get(optimizer, self.micro),
            closure,
            self.clips,
        )
        self.stepping = step
        self.tell("on_step", step)

    def step_ends(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has stepped: the place for deep looks."""
        step, self.stepping = self.stepping, None
        if step is None or step.optimizer is not optimizer:
            step = OptimizerStep(optimizer, self.updates.get(optimizer, 0), 0, False, self.clips)
        step.micro = self.micro_since.get(optimizer, self.micro)
        self.tell("on_step_done", step)
        self.updates[optimizer] = self.updates.get(optimizer, 0) + 1
        self.eras.stepped(optimizer)
        self.micro_since[optimizer] = 0
        self.clips = []
        self.mail.pump()
        if self._capture is not None and self._capture.closed and optimizer is self.main_optimizer:
            self.look()
        if self._flush is not None:
            self._flush()

    def _without_optimizer(self) -> bool:
        return all(r() is self._by_hand.stand_in for r in self.optimizers)

    # -- deep looks -------------------------------------------------------------------------

    def look(self, last: bool = False) -> None:
        """Replay and intervene on the captured batch; everything is put back."""
        taken = self._capture
        if taken is None or not self.hears("on_look"):
            return
        self._capture = None if not last else taken
        begun = time.monotonic()
        roots = [taken.module]
        self.looking = True
        try:
            with untouched(roots), eagerly(self.compiled):
                look = Look(self, taken, self.update, last)
                self.guarded("loss of a compiled region", look.recover_losses)
                look = self.guarded("trimming", lambda: trimmed(look)) or look
                self.tell("on_look", look)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the script
            self.fail("look", error)
        finally:
            self.looking = False
            self.overheard.clear()
        self.kept = taken
        self.schedule.looked(self.update, time.monotonic() - begun)

    kept: Capture | None = None

    def finish(self, look: bool = True) -> None:
        """The script has ended: one last look at the last captured batch."""
        if look and self.kept is not None and os.getpid() == self._pid:
            self._capture = self.kept
            self.look(last=True)
        self.mail.drain()

    def evidence(self) -> tuple[Gathered, list[Unavailable]]:
        """What all probes know so far."""
        gathered: Gathered = {}
        missing: list[Unavailable] = []
        for probe in self.probes:
            told = self.guarded(type(probe).__name__, functools.partial(_told, probe))
            for item in told or ():
                if isinstance(item, Unavailable):
                    missing.append(item)
                else:
                    gathered[type(item)] = item
        return gathered, missing

    def _wants(self, call: ForwardCall) -> bool:
        """Is this root one that is being trained, and the first of its micro-step?"""
        if self._capture is not None and self._capture.update == self.update:
            return False
        return any(p.requires_grad for p in call.module.parameters())


def _told(probe: Probe) -> list[Evidence | Unavailable]:
    return list(probe.evidence())


def _elements(optimizer: torch.optim.Optimizer) -> int:
    return sum(p.numel() for p in parameters(optimizer))


def parameters(optimizer: torch.optim.Optimizer) -> Iterable[Tensor]:
    """All tensors the optimizer owns."""
    return (p for g in optimizer.param_groups for p in g["params"])


def _device_type(module: nn.Module) -> str:
    first = next(module.parameters(), None)
    return first.device.type if first is not None else "cpu"
