"""Reentrant gradient checkpointing: are gradients asked of what goes in?"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils import checkpoint

from shindan.probes.events import CheckpointedCall
from shindan.probes.frames import where
from shindan.probes.patching import Patches
from shindan.probes.session import Session


def install(session: Session, patches: Patches) -> None:
    """Wrap the forward of the reentrant kind; the other kind needs no input with a gradient."""
    original: Callable[..., Any] = checkpoint.CheckpointFunction.forward

    def forward(ctx: Any, function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        call = session.current
        if session.alive and call is not None and call.grad and session.hears("on_checkpointed"):
            asked = any(isinstance(a, Tensor) and a.requires_grad for a in args)
            session.guarded(
                "checkpointing",
                lambda: session.tell("on_checkpointed", CheckpointedCall(asked, where())),
            )
        return original(ctx, function, preserve_rng_state, *args)

    patches.set(checkpoint.CheckpointFunction, "forward", forward)
