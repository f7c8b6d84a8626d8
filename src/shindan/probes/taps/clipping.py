"""Gradient clipping."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad

from shindan.probes.events import ClipCall
from shindan.probes.frames import where
from shindan.probes.patching import Patches
from shindan.probes.session import Session
from shindan.probes.taps.scaler import Scaled


def install(session: Session, patches: Patches, scaled: Scaled) -> None:
    """Wrap ``clip_grad_norm_`` and ``clip_grad_value_`` in both of their homes.

    ``clip_grads_with_norm_``, which is given the norm, has one, and so has ``get_total_norm``, that
    a loop can look at before it clips; ``clip_grad_norm_`` calls both by other names, so that
    nothing is told twice.
    """
    for name, limit in (("clip_grad_norm_", "max_norm"), ("clip_grad_value_", "clip_value")):
        wrapped = _wrapped(session, scaled, getattr(clip_grad, name), limit)
        patches.set(clip_grad, name, wrapped)
        patches.set(torch.nn.utils, name, wrapped)
    name = "get_total_norm"
    patches.set(torch.nn.utils, name, _listening(session, getattr(torch.nn.utils, name)))
    name = "clip_grads_with_norm_"
    wrapped = _wrapped(session, scaled, getattr(torch.nn.utils, name), "max_norm")
    patches.set(torch.nn.utils, name, wrapped)


def _wrapped(
    session: Session, scaled: Scaled, original: Callable[..., Any], limit: str
) -> Callable[..., Any]:
    def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        if not session.alive:
            return original(parameters, *args, **kwargs)
        if not isinstance(parameters, Tensor):
            parameters = list(parameters)
        result = original(parameters, *args, **kwargs)
        threshold = kwargs.get(limit, args[0] if args else float("inf"))
        found = kwargs.get("total_norm", args[1] if len(args) > 1 else None)
        if isinstance(result, Tensor):
            found = result  # clip_grad_norm_'s second argument is the norm's type

        def tell() -> None:
            norm = found.detach().clone() if isinstance(found, Tensor) else None
            session.clipped(ClipCall(float(threshold), norm, scaled.inside, where()))

        session.guarded("clipping", tell)
        return result

    return clip


def _listening(session: Session, original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def get_total_norm(tensors: Any, *args: Any, **kwargs: Any) -> Tensor:
        if not session.alive:
            return original(tensors, *args, **kwargs)
        tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        norm = original(tensors, *args, **kwargs)
        session.guarded("clipping", lambda: session.tell("on_norm", norm.detach(), tensors))
        return norm

    return get_total_norm
