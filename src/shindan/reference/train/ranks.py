"""One process or many: what torchrun started, and how they share a model."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from shindan.reference.train.config import Settings
from shindan.reference.train.errors import TrainError


@dataclass(frozen=True)
class Ranks:
    """This process among all."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def total(self, number: float) -> float:
        """The sum of every rank's number."""
        if self.world == 1:
            return number
        shared = torch.tensor(number, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared)
        return shared.item()

    def gathered(self, thing: object) -> list[Any]:
        """Every rank's thing, in the order of the ranks."""
        if self.world == 1:
            return [thing]
        things: list[Any] = [None] * self.world
        dist.all_gather_object(things, thing)
        return things

    def shared(self, objective: nn.Module, how: str) -> nn.Module:
        """The objective as the ranks train it together, on its device."""
        objective.to(self.device)
        if self.world == 1:
            return objective
        if how == "ddp":
            ids = [self.device.index] if self.device.type == "cuda" else None
            return DistributedDataParallel(objective, device_ids=ids)
        for layers in [m for m in objective.modules() if isinstance(m, nn.ModuleList)]:
            for layer in layers:
                fully_shard(layer)
        # Gathered anew at every forward: evaluation may have put other weights in place.
        fully_shard(objective, reshard_after_forward=True)
        return objective

    def syncing(self, objective: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel at the last micro-step of an update only."""
        if isinstance(objective, DistributedDataParallel) and not last:
            return objective.no_sync()
        if isinstance(objective, FSDPModule):
            objective.set_requires_gradient_sync(last)
        return contextlib.nullcontext()


@contextlib.contextmanager
def joined(settings: Settings) -> Iterator[Ranks]:
    """This process's place; the group that torchrun asks for is made, and left at the end."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device = _device(settings.device, int(os.environ.get("LOCAL_RANK", "0")))
    if settings.precision == "fp16" and device.type == "cpu":
        raise TrainError("fp16-needs-gpu")
    if settings.precision == "fp16" and settings.parallel == "fsdp" and world > 1:
        raise TrainError("fp16-not-sharded")
    if world == 1:
        yield Ranks(0, 1, device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor's full value; any other as it is."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


def _device(asked: str, local: int) -> torch.device:
    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TrainError("no-gpu")
    return torch.device("cuda", local)
