"""An experiment written down before it is run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Words = list[str]
"""key=value, as after ``shindan train RECIPE``."""
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Size:
    """How large the runs are, and where they belong."""

    device: Device
    words: Words
    """Of every arm; ``{data}`` is the folder of the real data. An arm's own words win."""
    seeds: tuple[int, ...] = (0, 1, 2)
    values: Mapping[str, str] = field(default_factory=dict)
    """What ``{name}`` in the arms' words means at this size."""
    before: Mapping[str, Words] = field(default_factory=dict)
    """Runs that all arms need first (a teacher), by folder, with words of their own; ``{folder}``
    in the arms' words is where they are."""
    arms: tuple[str, ...] = ()
    """The arms of this size; none: all."""


@dataclass(frozen=True)
class Plan:
    """Arms that differ in one thing from ``base``, and what is measured of each run.

    With the same seed all arms begin alike and see the same rows and masks: differences are
    paired by seed.
    """

    question: str
    arms: Mapping[str, Words]
    """The recipe (or a script that takes its words), then its settings, by a name for people; the
    first is the base."""
    sizes: Mapping[str, Size]
    measure: Callable[[Path], Mapping[str, float]]
    """Numbers of a finished run from its folder, the one that decides first."""
    apart: frozenset[str] = frozenset()
    """Arms that are not compared with the base: shown beside it."""
    against: Mapping[str, str] = field(default_factory=dict)
    """Arms that are compared with another arm than the base."""
    beside: tuple[str, ...] = ()
    """Measures that are told together, as means, in one table without a plot."""
    once: Words = field(default_factory=list)
    """Settings that make a run quick which is only to prepare the text for all others."""

    @property
    def base(self) -> str:
        """The arm that the others are compared with."""
        return next(iter(self.arms))
