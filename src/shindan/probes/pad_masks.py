"""Does the run know where its padding is, though the model's forward is not told?"""

import re
from typing import Any

import torch
from torch import Tensor

from shindan.probes.calls import Call, recording, tensors
from shindan.probes.names import tensors_named
from shindan.probes.replay import Replay
from shindan.probes.trees import leaves

NAMED = re.compile(r"(att(entio)?n?|pad(ding)?|key_padding|src)_?masks?$", re.IGNORECASE)
"""Masks that are made for an attention (one for the loss or a score is none)."""
UNUSED = "unused"


def known(replay: Replay, pads: Tensor) -> str:
    """``unused``: the model makes a mask of ``pads`` (B, T) and does nothing with it.

    Else the name of an attention mask that the script holds, else "".
    """
    follower = _Follower(pads if replay.look.first_is_batch else pads.T)
    with recording(replay.look.module, follower.hear):
        output = replay.look.call()
    if follower.marks and not follower.used(output):
        return UNUSED
    return next((name for name, t in tensors_named(NAMED) if _is_mask(t)), "")


class _Follower:
    """Follows masks of the padding from where they are made to where they meet other tensors."""

    def __init__(self, pads: Tensor) -> None:
        self.pads = pads
        self.marks: dict[int, Tensor] = {}
        self._met = False

    def hear(self, call: Call) -> None:
        """A call of nothing but masks makes another one; with other tensors it uses them."""
        given = [*tensors(call.args), *tensors(call.kwargs.values())]
        held = [t for t in given if id(t) in self.marks]
        if held and len(held) < len(given):
            self._met = True
        elif isinstance(call.result, Tensor) and (held or self._says(call.result)):
            self.marks[id(call.result)] = call.result

    def used(self, output: Any) -> bool:
        """Did one meet another tensor, or leave the model?"""
        return self._met or any(id(t) in self.marks for _, t in leaves(output))

    def _says(self, t: Tensor) -> bool:
        if t.dtype != torch.bool or t.shape != self.pads.shape:
            return False
        return torch.equal(t, self.pads) or torch.equal(~t, self.pads)


def _is_mask(t: Tensor) -> bool:
    """Two values, both present."""
    if t.ndim != 2 or t.numel() > 1 << 20:
        return False
    return set(t.unique().tolist()) == {0, 1}
