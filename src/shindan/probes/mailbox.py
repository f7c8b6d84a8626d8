"""Scalars leave the device without anyone waiting for them."""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

Deliver = Callable[[float], None]


class Mailbox:
    """``post`` a scalar tensor, get it as a float later; at once for tensors on the CPU.

    On CUDA the waiting scalars of one ``pump`` are stacked, copied asynchronously into pinned
    memory, and delivered when the copy's event has passed: nobody synchronises.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Tensor, Deliver]] = []
        self._flying: deque[tuple[torch.cuda.Event, Tensor, list[Deliver]]] = deque()

    def post(self, scalar: Tensor, deliver: Deliver) -> None:
        """Deliver ``float(scalar)`` when it has arrived."""
        if scalar.device.type == "cpu":
            deliver(float(scalar))
        else:
            self._waiting.append((scalar.detach().reshape(()), deliver))

    def pump(self) -> None:
        """Send what waits, deliver what has landed."""
        if self._waiting:
            batch, self._waiting = self._waiting, []
            stacked = torch.stack([t.to(torch.float64) for t, _ in batch])
            landing = torch.empty(len(batch), dtype=torch.float64, pin_memory=True)
            landing.copy_(stacked, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._flying.append((event, landing, [d for _, d in batch]))
        while self._flying and self._flying[0][0].query():
            self._land()

    def drain(self) -> None:
        """Deliver everything, waiting if need be (at the end of the run only)."""
        self.pump()
        while self._flying:
            self._flying[0][0].synchronize()
            self._land()

    def _land(self) -> None:
        _, landing, delivers = self._flying.popleft()
        for value, deliver in zip(landing.tolist(), delivers, strict=True):
            deliver(value)
