"""What a recipe is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from torch import nn

from shindan.reference.train.config import Settings
from shindan.reference.train.errors import TrainError
from shindan.reference.train.loop import Loop
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.resolve import Given, Resolved, given, resolve
from shindan.reference.train.task import Task

S = TypeVar("S", bound=Settings)

TINY = "tiny"
"""The size that runs anywhere, on the embedded corpus, in seconds; every recipe has it first."""


class Said(NamedTuple):
    """The same in both languages."""

    en: str
    ja: str


@dataclass(frozen=True)
class Recipe(Generic[S]):
    """One system: its settings and sizes, how its task and its model are made, what to expect."""

    name: str
    settings: type[S]
    values: Mapping[str, object]
    """Settings of every size; keys of the model as ``model.<key>``."""
    sizes: Mapping[str, Mapping[str, object]]
    task: Callable[[S, Path, Ranks], Task]
    """From settings, the run's folder and this rank; what prediction needs stays in the folder."""
    model: Callable[[S, Path], nn.Module]
    """The model again, untrained, from what the task left."""
    about: Said
    data: Said
    expected: Mapping[str, Said]
    """By size: the figures a run should reach."""
    loop: type[Loop] = Loop
    """Another loop only where the loop itself was at fault."""

    def resolve(self, size: str, *layers: list[Given]) -> Resolved[S]:
        """The settings of ``size`` under the layers given, weakest first."""
        if size not in self.sizes:
            raise TrainError("no-size", size=size, known=", ".join(self.sizes))
        own = [given(self.values, "recipe"), given(self.sizes[size], f"size {size}")]
        return resolve(self.name, self.settings, [*own, *layers])


def model_values(config: Any) -> dict[str, object]:
    """What ``config`` says other than its class does, as ``model.<key>``."""
    said = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "vocab_size"}
    usual = {f.name: f.default for f in fields(config)}
    return {f"model.{name}": value for name, value in said.items() if value != usual[name]}
