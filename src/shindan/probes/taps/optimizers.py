"""Optimizers: construction, ``step`` (official hooks), ``zero_grad``."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from shindan.probes.patching import Patches
from shindan.probes.session import Session


def install(session: Session, patches: Patches) -> Callable[[], None]:
    """Hook every optimizer; returns what removes the hooks."""

    def before(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if session.alive and not torch.compiler.is_compiling():
            closure = (args[1] if len(args) > 1 else None) or kwargs.get("closure")
            session.guarded("optimizer.step", lambda: session.step_begins(optimizer, bool(closure)))

    def after(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if session.alive and not torch.compiler.is_compiling():
            session.guarded("optimizer.step", lambda: session.step_ends(optimizer))

    handles = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]
    _install_methods(session, patches)

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return remove


def _install_methods(session: Session, patches: Patches) -> None:
    built, zero, module_zero = Optimizer.__init__, Optimizer.zero_grad, nn.Module.zero_grad

    def init(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        built(self, *args, **kwargs)
        if session.alive:
            session.guarded("optimizer", lambda: session.optimizer_built(self))

    def zero_grad(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        if session.alive and session.hears("on_zero_grad"):
            session.guarded("zero_grad", lambda: session.tell("on_zero_grad", self))
        zero(self, *args, **kwargs)

    def zero_module(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        if session.alive:
            session.guarded("update by hand", session.updated_by_hand)
            session.guarded("zero_grad", lambda: session.tell("on_zero_grad", self))
        module_zero(self, *args, **kwargs)

    patches.set(Optimizer, "__init__", init)
    patches.set(Optimizer, "zero_grad", zero_grad)
    patches.set(nn.Module, "zero_grad", zero_module)
