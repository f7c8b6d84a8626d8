"""Changing what stands at some positions without changing the ids that masks are made from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from shindan.probes.look import NoReplay
from shindan.probes.replay import Replay


def _token_embedding(replay: Replay) -> nn.Module | None:
    """The widest table fed with the ids."""
    ids = replay.look._ids[1]
    found: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        weight = getattr(module, "weight", None)
        if not args or not isinstance(args[0], Tensor) or not isinstance(output, Tensor):
            return
        fed = args[0].shape == ids.shape and torch.equal(args[0].long(), ids.long())
        if fed and isinstance(weight, Tensor) and output.shape[:2] == ids.shape:
            found.append((len(weight), module))

    handles = [m.register_forward_hook(note) for m in replay.look.module.modules()]
    try:
        replay.states()
    finally:
        for handle in handles:
            handle.remove()
    return max(found, key=lambda f: f[0], default=(0, None))[1]


@contextmanager
def content(replay: Replay, table: nn.Module, ids: Tensor, places: Tensor) -> Iterator[None]:
    """Inside, the vectors at ``places`` (B, T) are those of ``ids`` (B, T)."""
    straight = replay.look.first_is_batch
    other, at = (ids, places) if straight else (ids.T, places.T)

    def swap(module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if not args or args[0].shape != other.shape:
            return None
        return torch.where(at[..., None], module.forward(other), output)

    handle = table.register_forward_hook(swap)
    try:
        yield
    finally:
        handle.remove()


def with_content(replay: Replay, ids: Tensor, places: Tensor) -> Tensor:
    """States with other content at ``places``; masks made from ids stay. Raises NoReplay."""
    table = token_table(replay)
    if table is not None:
        with content(replay, table, ids, places):
            return replay.states()
    if replay.look.mask is None:
        raise NoReplay("no-embedding-no-mask")
    return replay.states(torch.where(places, ids, replay.look.ids))


def token_table(replay: Replay) -> nn.Module | None:
    """The module that turns this batch's ids into vectors, found once per look."""
    if "_embedding" not in vars(replay):
        vars(replay)["_embedding"] = _token_embedding(replay)
    found = vars(replay)["_embedding"]
    return found if isinstance(found, nn.Module) else None
