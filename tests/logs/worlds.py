"""Runs whose parts are known: losses made of size, budget, learning rate and decay, with noise."""

import math
from dataclasses import replace

import numpy as np

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.pairs import Facts, Quoted, Side
from shindan.logs.sides import Run

from .curves import Array

BEST = 1e-3
"""The best learning rate of these worlds."""
BOWL = 0.05
"""Nats per squared e-fold of the rate away from it."""
DECAY = 0.15
"""Nats that a decay to nothing brings."""
NOISE = 0.03
SCRIPT = frozenset({"format csv", "step", "loss", "lr"})


def level(x: float, size: float, rate: float, left: float = 1.0) -> float:
    """The true loss."""
    bowl = BOWL * math.log(rate / BEST) ** 2
    return float(1.7 + 406.4 * size**-0.34 + 6 * x**-0.35 + bowl - DECAY * (1 - left))


def made(
    name: str,
    updates: int = 4000,
    size: float = 1e8,
    rate: float = BEST,
    seed: int = 0,
    decay: float = 1.0,
    batch: float | None = 32.0,
    horizon: int | None = None,
    logged: bool = True,
) -> Run:
    """A run; the rate falls straight to nothing over the last ``decay`` share of its horizon."""
    rng = np.random.default_rng(seed)
    x = np.arange(10.0, updates + 1, 10)
    end = float(horizon or updates)
    left = np.minimum(1.0, np.clip((end - x) / (end * decay), 0.0, 1.0)) if decay else x * 0 + 1
    warm = np.minimum(1.0, x / 100)
    y = np.array([level(a, size, rate, b) for a, b in zip(x, left, strict=True)])
    y = y + rng.normal(0, NOISE, len(x))
    at: dict[Axis, Array] = {"updates": x}
    facts = Facts(
        batch=batch, rate=rate, parameters=size, spent=(("updates", float(updates)),),
        data="one", tokenizer="one", optimizer="adam",
    )  # fmt: skip
    side = Side(name, facts, Quoted(float(y[-1]), "step", "training"))
    rates = rate * left * warm if logged else None
    return Run(side, {"training": y}, at, rates, script=SCRIPT)


def known(run: Run, **facts: float | str | None) -> Run:
    """The run with other facts known of it."""
    return replace(run, side=replace(run.side, facts=replace(run.side.facts, **facts)))  # type: ignore[arg-type]
