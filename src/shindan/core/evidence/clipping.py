"""Gradient clipping, by the line that calls it, and gradient hooks of the user's own."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Where


@dataclass(frozen=True)
class ClipRow:
    """All calls from one line.

    ``limit`` is the last max_norm (or clip_value, ``by_value``). ``active`` is the share of calls
    that found a norm above it, ``factor`` the median of norm / limit, both of the gradients as
    they were (with a scale inside if there was one); ``norm`` the median norm with the scale
    divided out. ``scaled`` calls found a GradScaler's scale above 1 still inside, typically
    ``scale``.
    """

    where: Where
    limit: float
    by_value: bool
    calls: int
    scaled: int
    scale: float
    active: float
    factor: float
    norm: float


@dataclass(frozen=True)
class Clipping(Evidence):
    """One row a line of the program."""

    rows: tuple[ClipRow, ...]


@dataclass(frozen=True)
class HookRow:
    """The gradient hooks that one line registered on parameters, on sampled micro-steps.

    ``changed`` is the median share of sampled gradient elements that the hook altered (zeros not
    counted), ``limit`` the largest magnitude it lets through, ``beyond`` the median share of
    elements that would exceed this limit once the GradScaler's ``scale`` is divided out, and
    ``piled`` the median share of altered elements that lie at the limit.
    """

    where: Where
    parameters: int
    samples: int
    scale: float
    changed: float
    beyond: float
    piled: float
    limit: float


@dataclass(frozen=True)
class GradientHooks(Evidence):
    """One row for each line that registered hooks."""

    rows: tuple[HookRow, ...]
