"""Loss functions of ``torch.nn.functional`` (the modules of ``torch.nn`` call them too)."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional

from shindan.probes.events import LossCall
from shindan.probes.frames import where
from shindan.probes.patching import Patches
from shindan.probes.recorded import recorded
from shindan.probes.session import Session

WATCHED = (
    "cross_entropy",
    "nll_loss",
    "kl_div",
    "mse_loss",
    "cosine_embedding_loss",
    "smooth_l1_loss",
)


def install(session: Session, patches: Patches) -> None:
    """Wrap each watched function."""
    for name in WATCHED:
        patches.set(functional, name, _wrapped(session, name, getattr(functional, name)))


def _wrapped(session: Session, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)
    inside = False

    @functools.wraps(original)
    def loss(*args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if recorded() or inside:
            return original(*args, **kwargs)
        inside = True
        try:
            output = original(*args, **kwargs)
        finally:
            inside = False
        if session.looking or session.alive:
            _heard(session, name, signature, args, kwargs, output)
        return output

    return loss


def _heard(
    session: Session,
    name: str,
    signature: inspect.Signature,
    args: Any,
    kwargs: Any,
    output: Any,
) -> None:
    def tell() -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        params = dict(bound.arguments)
        first, target = params.pop(next(iter(params))), params.pop("target", None)
        if not isinstance(first, Tensor) or not isinstance(target, Tensor):
            return
        call = LossCall(
            kind=name,
            shape=tuple(first.shape),
            input=first,
            target=target,
            params=params,
            output=output,
            where=where(),
            grad=bool(output.requires_grad),
            inside=session.current is not None,
            forward=session.current or session.last_call,
            index=session.micro,
        )
        if session.looking:
            session.overheard.append(call)
        else:
            session.loss_called(call)

    session.guarded(f"loss {name}", tell)
