"""Outermost calls of modules: ``nn.Module.__call__``."""

from typing import Any

import torch
from torch import nn

from shindan.probes.events import ForwardCall
from shindan.probes.patching import Patches
from shindan.probes.recorded import recorded
from shindan.probes.session import Session


def install(session: Session, patches: Patches) -> None:
    """Tell the session of root calls; nested calls pay one comparison."""
    original = nn.Module.__call__
    inside = False

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside or recorded() or not session.alive or not _has_parameters(self):
            return original(self, *args, **kwargs)
        inside = True
        try:
            root = _begin(session, self, args, kwargs)
            output = original(self, *args, **kwargs)
        finally:
            inside = False
        if root is not None:
            session.guarded("output", lambda: session.forward_ends(root, output))
        return output

    patches.set(nn.Module, "__call__", call)


def _begin(session: Session, module: nn.Module, args: Any, kwargs: Any) -> ForwardCall | None:
    grad = torch.is_grad_enabled()
    call: ForwardCall | None = session.guarded(
        "forward", lambda: session.forward_begins(module, args, kwargs, grad)
    )
    return call


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None
