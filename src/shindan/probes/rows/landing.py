"""Integer tensors reach the host without anyone waiting for them."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]
Deliver = Callable[[list[Ints]], None]

IN_FLIGHT = 32
"""Copies under way at most; more are not asked for."""


class Landing:
    """``post`` tensors, get them as int64 arrays: at once on the CPU, later from CUDA.

    From CUDA they are copied asynchronously into pinned memory and delivered by ``pump`` when
    the copy's event has passed. Arrays are views: a receiver that keeps one copies it.
    """

    def __init__(self) -> None:
        self._flying: deque[tuple[torch.cuda.Event, list[Tensor], Deliver]] = deque()

    def post(self, tensors: Sequence[Tensor], deliver: Deliver) -> None:
        """Deliver the tensors as arrays; dropped when they are on a device of another kind."""
        kinds = {t.device.type for t in tensors}
        if kinds == {"cpu"}:
            deliver([_array(t) for t in tensors])
        elif kinds <= {"cpu", "cuda"} and len(self._flying) < IN_FLIGHT:
            landed = [_pinned(t) for t in tensors]
            event = torch.cuda.Event()
            event.record()
            self._flying.append((event, landed, deliver))

    def pump(self, wait: bool = False) -> None:
        """Deliver what has landed; everything when ``wait`` (at the end of the run only)."""
        while self._flying and (wait or self._flying[0][0].query()):
            event, landed, deliver = self._flying.popleft()
            event.synchronize()
            deliver([_array(t) for t in landed])


def _pinned(t: Tensor) -> Tensor:
    if t.device.type == "cpu":
        return t
    host = torch.empty(t.shape, dtype=t.dtype, pin_memory=True)
    host.copy_(t.detach(), non_blocking=True)
    return host


def _array(t: Tensor) -> Ints:
    array: Ints = t.detach().to(torch.int64).numpy()
    return array
