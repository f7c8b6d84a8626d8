"""Gradient hooks that the user's own code registers on parameters."""

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from shindan.probes.events import HookCall
from shindan.probes.frames import is_user_file, where
from shindan.probes.patching import Patches
from shindan.probes.session import Session
from shindan.probes.taps.scaler import Scaled

SAMPLED = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Micro-steps at which hooks are listened to."""
ELEMENTS = 4096


def install(session: Session, patches: Patches, scaled: Scaled) -> None:
    """Wrap the registration; the handle is the original's, the hook's result its own."""
    for name, accumulated in (
        ("register_hook", False),
        ("register_post_accumulate_grad_hook", True),
    ):
        original = getattr(Tensor, name)
        patches.set(Tensor, name, _registering(session, scaled, original, accumulated))


def _registering(
    session: Session, scaled: Scaled, original: Callable[..., Any], accumulated: bool
) -> Callable[..., Any]:
    @functools.wraps(original)
    def register(self: Tensor, hook: Callable[..., Any]) -> Any:
        ours = (
            isinstance(self, nn.Parameter)
            and session.alive
            and is_user_file(sys._getframe(1).f_code.co_filename)
        )
        if not ours:
            return original(self, hook)
        place, owner = where(), weakref.ref(self)

        @functools.wraps(hook)
        def heard(grad: Tensor) -> Any:
            listening = session.alive and session.hears("on_hook") and session.micro in SAMPLED
            if not listening:
                return hook(grad)
            before = session.guarded("hook", lambda: _sample(grad, accumulated))
            result = hook(grad)
            after = grad if result is None else result
            session.guarded("hook", lambda: tell(before, after))
            return result

        def tell(before: Tensor | None, after: Tensor) -> None:
            parameter = owner()
            left = _sample(after, accumulated)
            if before is not None and left is not None and parameter is not None:
                session.tell("on_hook", HookCall(parameter, before, left, scaled.inside, place))

        return original(self, heard)

    return register


def _sample(grad: Tensor, accumulated: bool) -> Tensor | None:
    """A copy of some elements of the gradient (of ``.grad``, for a hook after accumulation)."""
    held = grad.grad if accumulated else grad
    if held is None or held.layout != torch.strided:
        return None
    flat = held.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)][:ELEMENTS].clone()
