"""Which module is the first whose output moves where it must not."""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from shindan.probes.replay import Replay
from shindan.probes.trees import leaves

Seen = list[tuple[str, Tensor | None, Tensor | None]]
RELATIVE = 1e-3


def first_moved(replay: Replay, ids: Tensor, places: Tensor) -> str | None:
    """Name of the innermost module that first moves at ``places`` (B, T) when the ids are changed.

    A module whose input has moved there already is innocent: then the one that holds it mixes.
    """
    still, moved = _digests(replay, replay.look.ids), _digests(replay, ids)
    for (name, before, after), (_, before_too, after_too) in zip(still, moved, strict=False):
        if _moves(after, after_too, places):
            if _moves(before, before_too, places) and "." in name:
                return name.rpartition(".")[0]
            return name or None
    return None


def _digests(replay: Replay, ids: Tensor) -> Seen:
    """(name, digest of the first input, digest of the output), in order of completion."""
    seen: Seen = []
    shape = replay.look._ids[1].shape
    straight = replay.look.first_is_batch

    def hook(name: str) -> Any:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            seen.append((name, _digest(args, shape, straight), _digest(output, shape, straight)))

        return note

    with ExitStack() as undo:
        for name, module in replay.look.module.named_modules():
            undo.callback(module.register_forward_hook(hook(name)).remove)
        replay.states(ids)
    return seen


def _digest(tree: Any, shape: torch.Size, straight: bool) -> Tensor | None:
    """(B, T): a fixed weighing of the channels of the first tensor with a row per position."""
    for _, t in leaves(tree):
        if t.is_floating_point() and t.ndim >= 3 and t.shape[:2] in (shape, shape[::-1]):
            weights = torch.linspace(0.5, 1.5, t.shape[-1], device=t.device)
            weights[::2] *= -1
            found = (t.float().reshape(*t.shape[:2], -1, t.shape[-1]) @ weights).sum(-1)
            told = found if t.shape[:2] == shape else found.T
            return told if straight else told.T
    return None


def _moves(a: Tensor | None, b: Tensor | None, places: Tensor) -> bool:
    if a is None or b is None or a.shape != places.shape or b.shape != a.shape:
        return False
    change = (a - b).abs().nan_to_num(0.0)
    return bool(change[places].max() > RELATIVE * change.max().clamp(min=1e-12))
