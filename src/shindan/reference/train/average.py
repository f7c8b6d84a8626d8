"""An exponential moving average of the weights (Polyak and Juditsky 1992)."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from shindan.reference.train.ranks import whole


class Average:
    """Shadows of a module's parameters that follow them slowly."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.live = list(module.parameters())
        self.decay = decay
        self.shadows = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def follow(self, update: int) -> None:
        """After ``update`` (from 1): young averages follow faster, or they remember the init."""
        decay = min(self.decay, (1 + update) / (10 + update))
        for shadow, live in zip(self.shadows, self.live, strict=True):
            shadow.lerp_(live.detach(), 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The module has the averaged weights inside, its own again after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> list[Tensor]:
        """The shadows, whole and on the CPU; every rank must call it."""
        return [whole(shadow).cpu() for shadow in self.shadows]

    @torch.no_grad()
    def put_back(self, kept: Sequence[Tensor]) -> None:
        """The opposite of :meth:`state`."""
        for shadow, tensor in zip(self.shadows, kept, strict=True):
            if isinstance(shadow, DTensor):
                here = tensor.to(shadow.device)
                shadow.copy_(distribute_tensor(here, shadow.device_mesh, shadow.placements))
            else:
                shadow.copy_(tensor)

    @torch.no_grad()
    def _swap(self) -> None:
        for live, shadow in zip(self.live, self.shadows, strict=True):
            kept: Tensor = live.detach().clone()
            live.copy_(shadow)
            shadow.copy_(kept)
