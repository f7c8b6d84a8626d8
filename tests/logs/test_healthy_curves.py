"""False alarms on healthy logs made up by the hundred: every schedule, noise and number of figures.

``python benchmarks/false_alarms.py`` counts them over thousands (docs/results.md).
"""

import math

import numpy as np
from numpy.typing import NDArray

from shindan.diagnose.engine import diagnose
from shindan.logs.course import NOTHING, course
from shindan.logs.judged import judged
from shindan.logs.table import LogTable

from .tables import table

LOGS = 120
ENDS = {"pretraining": (10.8, 3.2), "chat": (2.2, 1.1), "flat": (1.3, 1.22), "bert": (7.0, 2.0)}
"""Losses at the start and at the end; ``flat`` is a fine-tuning of what the model knows."""

Array = NDArray[np.float64]


def fall(rng: np.random.Generator, rows: int, interval: int) -> Array:
    """From 1 to 0, an exponential or a power law."""
    if rng.random() < 0.5:
        shape = np.exp(-np.arange(rows) / rows * rng.uniform(4, 15))
    else:
        shape = (1 + np.arange(rows) * interval / 20) ** -rng.uniform(0.3, 0.7)
    return np.asarray((shape - shape[-1]) / (shape[0] - shape[-1]))


def bumps(rng: np.random.Generator, rows: int) -> Array:
    """Shares of the whole fall that healthy runs have on top of it (rows,).

    A warm-up that is a little too fast, an epoch's staircase.
    """
    t, made = np.arange(rows) / rows, np.zeros(rows)
    if rng.random() < 0.3:
        made += 0.15 * np.exp(-(((t - 0.06) / 0.02) ** 2))
    if rng.random() < 0.3:
        epochs = int(rng.integers(2, 6))
        made -= rng.uniform(0.005, 0.03) * np.floor(t * epochs)
    return made


def cooled(lr: Array) -> Array:
    """Shares of the whole fall that a learning rate brings on its way down (rows,)."""
    return np.asarray(-0.05 * np.clip(1 - lr / lr.max(), 0, 1) ** 1.5)


def noise(rng: np.random.Generator, rows: int) -> Array:
    """Normal or heavy-tailed, independent or correlated, constant or of a growing batch (rows,)."""
    e = rng.standard_t(4, rows) if rng.random() < 0.3 else rng.normal(0, 1, rows)
    rho = float(rng.choice([0, 0.5, 0.9]))
    for i in range(1, rows):
        e[i] = rho * e[i - 1] + math.sqrt(1 - rho * rho) * e[i]
    grown = float(rng.choice([1, 1, 8]))
    return np.asarray(e / np.sqrt(np.geomspace(1, grown, rows)))


def rates(rng: np.random.Generator, rows: int) -> Array | None:
    t = np.arange(rows) / rows
    schedules = [
        0.1 + 0.45 * (1 + np.cos(np.pi * t)), 1 - t, np.minimum(1, (1 - t) * 5), np.ones(rows),
        np.where(t < 0.5, 1, 0.1), None,
    ]  # fmt: skip
    chosen = schedules[int(rng.integers(len(schedules)))]
    warm = np.minimum(1, (np.arange(rows) + 1) / max(1, rows // 20))
    return None if chosen is None else np.round(3e-4 * warm * chosen, int(rng.choice([5, 7, 12])))


def healthy(seed: int) -> LogTable:
    rng = np.random.default_rng(seed)
    rows, interval = int(rng.choice([12, 40, 100, 300, 1000])), int(rng.choice([1, 10, 50]))
    start, end = ENDS[str(rng.choice(list(ENDS)))]
    way, lr = fall(rng, rows, interval) + bumps(rng, rows), rates(rng, rows)
    if lr is not None and lr[-1] < lr.max():
        way[lr.argmax() :] += cooled(lr[lr.argmax() :])
    way = np.maximum(end + (start - end) * way, 0.5 * end)
    sd = float(rng.choice([0.01, 0.05, 0.15, 0.3])) * end / 3
    loss = np.round(np.maximum(way + sd * noise(rng, rows), 0.01), int(rng.choice([2, 4, 8])))
    columns: dict[str, list[float | None]] = {
        "step": [float(interval * (i + 1)) for i in range(rows)],
        "loss": loss.tolist(),
    }
    if lr is not None:
        columns["lr"] = lr.tolist()
    if rng.random() < 0.6:
        columns["grad_norm"] = rng.lognormal(rng.normal(0, 1), 0.4, rows).tolist()
    if rng.random() < 0.5:
        every = max(2, rows // int(rng.choice([5, 10, 20])))
        evals = way + 0.05 + rng.normal(0, 0.01, rows)
        columns["eval_loss"] = [
            float(v) if i % every == every - 1 else None for i, v in enumerate(evals)
        ]
    settings = {"max_grad_norm": 1.0} if rng.random() < 0.5 else {}
    return table(columns, settings=settings, form=str(rng.choice(["csv", "hf-trainer-state"])))


def said(seed: int) -> list[str]:
    """``severity id`` of each finding of that log, and the keys of its sentences."""
    read = judged(healthy(seed))
    went = course(read, NOTHING)
    document = diagnose({**read.evidence, **went.evidence}, read.missing, (), read.subject)
    assert document.failed == ()
    found = [f"{f.severity} {f.id}" for f in document.findings]
    return [*found, *sorted({f"says {told.key}" for told in went.sentences})]


def test_no_healthy_log_is_accused() -> None:
    found = [(seed, what) for seed in range(LOGS) for what in said(seed)]
    assert [f for f in found if f[1].startswith(("critical", "major"))] == []
    minor = [f for f in found if f[1].startswith("minor")]
    assert len(minor) <= LOGS // 50 + 1, minor
