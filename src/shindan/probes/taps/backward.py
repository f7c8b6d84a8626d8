"""``backward``: ``Tensor.backward`` and ``torch.autograd.backward`` both end here."""

from typing import Any

import torch
from torch import Tensor

from shindan.probes.patching import Patches
from shindan.probes.session import Session
from shindan.probes.taps.scaler import Scaled


def install(session: Session, patches: Patches, scaled: Scaled) -> None:
    """Tell the session of outermost backward calls on one scalar."""
    original = torch.autograd.backward
    inside = False

    def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal inside
        loss = tensors[0] if isinstance(tensors, (tuple, list)) and len(tensors) == 1 else tensors
        if inside or not session.alive or not isinstance(loss, Tensor) or loss.numel() != 1:
            return original(tensors, *args, **kwargs)
        unscaled, scale = scaled.source(loss)
        event = session.guarded("backward", lambda: session.backward_begins(loss, unscaled, scale))
        inside = True
        try:
            original(tensors, *args, **kwargs)
        finally:
            inside = False
        if event is not None:
            session.guarded("backward", lambda: session.backward_ends(event))

    patches.set(torch.autograd, "backward", backward)
