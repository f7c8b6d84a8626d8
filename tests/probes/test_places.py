"""The split of an evaluation is read from who holds its loader, where no line says it."""

import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from shindan.probes.rows.places import evaluation_place


def asked(loader: Any) -> str:
    return evaluation_place(loader)[0]


def alone(do: Callable[[], str]) -> str:
    """On a stack of its own, where no name of a test says "test"."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result()


def library(source: str) -> Any:
    """A function of an installed package."""
    module = types.ModuleType("package")
    exec(compile(source, str(Path(torch.__file__).parent / "loop.py"), "exec"), vars(module))
    return module.run


EVALUATES = "def run(trained, do):\n    eval_dataloader = trained\n    return do(eval_dataloader)\n"
STREAMS = "def run(trained, do):\n    dataloader = trained\n    return do(dataloader)\n"


def by_variables(number: int) -> str:
    eval_loader, train_loader = object(), object()
    dev_prefetcher = SimpleNamespace(base_dataloader=object())
    inner = (eval_loader, train_loader, object(), dev_prefetcher.base_dataloader)
    return asked(inner[number])


@pytest.mark.parametrize(("number", "split"), [(0, "val"), (1, "train"), (2, ""), (3, "val")])
def test_the_variable_of_the_loader_speaks(number: int, split: str) -> None:
    assert alone(lambda: by_variables(number)) == split


def by_a_library(loop: str) -> str:
    train_result = library(loop)(object(), asked)
    return str(train_result)


@pytest.mark.parametrize(("loop", "split"), [(EVALUATES, "val"), (STREAMS, "train")])
def test_a_library_names_what_it_evaluates_though_the_script_only_trains(
    loop: str, split: str
) -> None:
    assert alone(lambda: by_a_library(loop)) == split


def on_training_rows() -> str:
    def measure(eval_loader: object) -> str:
        rows = eval_loader
        return asked(rows)

    train_loss = measure(object())
    return train_loss


def test_the_line_of_the_script_comes_before_its_variables() -> None:
    assert alone(on_training_rows) == "train"
