"""All that a run needs to go on as if it had never stopped, in one file written beside and renamed.

Tensors of FSDP2 are gathered whole on the first rank, so that a checkpoint does not depend on how
many ranks wrote it; random states are kept for every rank.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.fsdp import FSDPModule
from torch.optim import Optimizer

from shindan.reference.train.errors import TrainError

NAME = "checkpoint.pt"
MODEL = "model.pt"
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def states(objective: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """What module and optimizer hold; every rank must call it."""
    if isinstance(objective, FSDPModule):
        module, moments = get_state_dict(objective, optimizer, options=WHOLE)
        return {"objective": module, "optimizer": moments}
    return {"objective": objective.state_dict(), "optimizer": optimizer.state_dict()}


def put_back(objective: nn.Module, optimizer: Optimizer, kept: dict[str, Any]) -> None:
    """The opposite of :func:`states`."""
    if isinstance(objective, FSDPModule):
        set_state_dict(
            objective,
            optimizer,
            model_state_dict=kept["objective"],
            optim_state_dict=kept["optimizer"],
            options=StateDictOptions(full_state_dict=True),
        )
        return
    objective.load_state_dict(kept["objective"])
    optimizer.load_state_dict(kept["optimizer"])


def random_states() -> dict[str, Any]:
    """Of Python, NumPy, torch and this rank's GPU, as plain values and tensors."""
    name, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(name), np.asarray(keys).tolist(), int(place), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def put_back_random(kept: dict[str, Any]) -> None:
    """The opposite of :func:`random_states`."""
    random.setstate(kept["python"])
    np.random.set_state(kept["numpy"])
    torch.set_rng_state(kept["torch"])
    if kept["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(kept["cuda"])


def write(path: Path, content: Any) -> None:
    """Whole or not at all: a run killed while it writes leaves the file from before."""
    partial = path.with_name(f"{path.name}.partial")
    torch.save(content, partial)
    partial.replace(path)


def read(path: Path, device: str = "cpu") -> Any:
    """Tensors and plain values only: a file cannot run code here."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise TrainError("no-checkpoint", path=path) from error
    except Exception as error:
        raise TrainError("bad-checkpoint", path=path, error=type(error).__name__) from error
