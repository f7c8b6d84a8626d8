"""The whole numbers that a schedule's function refers to, wherever the script keeps them."""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from shindan.probes.horizons import integers


@dataclass
class Plain:
    """A configuration; its property must never run."""

    total: int = 4000
    unused: int = 777

    @property
    def warmup(self) -> int:
        """Never read by the doctor."""
        raise AssertionError


@dataclass(slots=True)
class Slotted:
    """Without a __dict__."""

    total: int = 4000


class Constants:
    """Never instantiated."""

    total = 4000


class Trainer:
    """Holds its configuration one level down."""

    def __init__(self) -> None:
        """Given."""
        self.config = Plain()

    def factor(self, step: int) -> float:
        """LambdaLR's function."""
        return 1 - step / self.config.total if step else 1.0


def _lengths(function: Callable[[int], float]) -> dict[str, int]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    return integers(LambdaLR(optimizer, function))


def _of(cfg: Any) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < 0:
            return float(cfg.warmup)
        return 1 - step / float(cfg.total)

    return factor


@pytest.mark.parametrize("cfg", [Plain(), Slotted(), Constants, types.SimpleNamespace(total=4000)])
def test_a_configuration_in_the_closure(cfg: Any) -> None:
    """Only what the function names is read, as data."""
    assert _lengths(_of(cfg)) == {"total": 4000}


def test_a_method_and_its_configuration() -> None:
    """Two levels: the trainer, its configuration."""
    assert _lengths(Trainer().factor) == {"total": 4000}


def test_a_dictionary() -> None:
    """Keys are constants of the code."""
    config = {"total": 4000, "seed": 1234}
    assert _lengths(lambda step: 1 - step / config["total"]) == {"total": 4000}
