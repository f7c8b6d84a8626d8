"""Changing parameters for one replay, and putting them back bit for bit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from shindan.probes.replay import Replay

LEAST = 0.1
"""Standard deviation of the change where the tensor itself is smaller (zeros, small tables)."""


@contextmanager
def perturbed(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Inside, noise as large as each tensor is added to it; the generators are the look's own."""
    kept = [t.detach().clone() for t in tensors]
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            for t in tensors:
                size = t.detach().float().square().mean().sqrt().clamp(min=LEAST)
                t.add_((torch.randn_like(t.float()) * size).to(t.dtype))
        yield
    finally:
        with torch.no_grad():
            for t, value in zip(tensors, kept, strict=True):
                t.copy_(value)


def effect(replay: Replay, tensors: Sequence[Tensor]) -> float:
    """How far the states of real positions move with them, relative to their spread."""
    base = replay.base
    with perturbed(tensors):
        states = replay.states()
    moved = (states - base).abs().nan_to_num(1.0, 1.0, 1.0).mean(-1)[replay.real]
    return float(moved.mean()) / max(replay.spread, 1e-12)
