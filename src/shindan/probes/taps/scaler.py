"""``GradScaler``: what was scaled, when it was unscaled, what was skipped."""

import weakref
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from shindan.probes.events import ScalerEvent
from shindan.probes.patching import Patches
from shindan.probes.session import Session

KEPT = 64
"""Scaled losses remembered at a time; more than any accumulation window in use."""


class Scaled:
    """Which losses went through ``GradScaler.scale``, and whether gradients still carry a scale."""

    def __init__(self) -> None:
        self._sources: OrderedDict[int, tuple[weakref.ref[Tensor], Tensor, Tensor | None]] = (
            OrderedDict()
        )
        self.inside: Tensor | None = None
        """The scale in the gradients gathered since the last unscale_ or step."""

    def remember(self, loss: Tensor, scaled: Tensor, scale: Tensor | None) -> None:
        """``scaled`` is ``loss`` times ``scale``; the graph is not kept alive."""
        self._sources[id(scaled)] = (weakref.ref(scaled), loss.detach(), scale)
        while len(self._sources) > KEPT:
            self._sources.popitem(last=False)

    def source(self, loss: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss before scaling, and the scale; the loss itself and None when not scaled."""
        found = self._sources.pop(id(loss), None)
        if found is None or found[0]() is not loss:
            return loss, None
        self.inside = found[2]
        return found[1], found[2]


def install(session: Session, patches: Patches, scaled: Scaled) -> None:
    """Wrap the methods of GradScaler (and so of its subclasses that inherit them)."""
    _install_scale(session, patches, scaled)
    unscale, step, update = GradScaler.unscale_, GradScaler.step, GradScaler.update

    def wrapped_unscale(self: GradScaler, optimizer: torch.optim.Optimizer) -> None:
        tell = session.alive and self.is_enabled()
        if tell:
            before = session.guarded("GradScaler.unscale_", lambda: _scale(self))
        unscale(self, optimizer)
        if tell:
            scaled.inside = None
            event = ScalerEvent("unscale_", self, optimizer, before)
            session.guarded("GradScaler.unscale_", lambda: session.scaler_used(event))

    def wrapped_step(self: GradScaler, optimizer: torch.optim.Optimizer, *a: Any, **k: Any) -> Any:
        if not (session.alive and self.is_enabled()):
            return step(self, optimizer, *a, **k)
        before = session.guarded("GradScaler.step", lambda: _scale(self))
        made = session.updates.get(optimizer, 0)
        result = step(self, optimizer, *a, **k)
        skipped = session.updates.get(optimizer, 0) == made
        scaled.inside = None
        event = ScalerEvent("step", self, optimizer, before, skipped)
        session.guarded("GradScaler.step", lambda: session.scaler_used(event))
        return result

    def wrapped_update(self: GradScaler, new_scale: Any = None) -> None:
        tell = session.alive and self.is_enabled()
        if tell:
            before = session.guarded("GradScaler.update", lambda: _scale(self))
        update(self, new_scale)
        if tell:
            event = ScalerEvent("update", self, None, before)
            session.guarded("GradScaler.update", lambda: session.scaler_used(event))

    patches.set(GradScaler, "unscale_", wrapped_unscale)
    patches.set(GradScaler, "step", wrapped_step)
    patches.set(GradScaler, "update", wrapped_update)


def _install_scale(session: Session, patches: Patches, scaled: Scaled) -> None:
    original = GradScaler.scale

    def wrapped_scale(self: GradScaler, outputs: Any) -> Any:
        result = original(self, outputs)
        if session.alive and self.is_enabled() and isinstance(outputs, Tensor):
            session.guarded(
                "GradScaler.scale", lambda: scaled.remember(outputs, result, _scale(self))
            )
        return result

    patches.set(GradScaler, "scale", wrapped_scale)


def _scale(scaler: GradScaler) -> Tensor | None:
    held = scaler._scale
    return None if held is None else held.detach().clone()
