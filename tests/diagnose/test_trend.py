"""False alarms of the symptoms, bounded on curves of healthy runs made up by the thousand."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from shindan.core.evidence.curve import Curve, DataLines, MicroStep, Update
from shindan.core.registry import find
from shindan.diagnose.trend import loss_trend, per_update

SYMPTOMS = ("loss-flat", "loss-diverging", "loss-spikes", "undertrained", "loss-jump", "overfit")
LINES = DataLines(classes=65, uniform=4.17, uniform_used=4.17, unigram=3.3, bigram=2.5, tokens=9999)
PER_SHAPE = 150
LIMIT = 0.01

Array = NDArray[np.float64]


def noise(rng: np.random.Generator, n: int, sd: float, rho: float, heavy: bool) -> Array:
    """AR(1), normal or with the heavy tails of small batches (Student t with 4 degrees)."""
    e = rng.standard_t(4, n) / math.sqrt(2.0) if heavy else rng.standard_normal(n)
    out = np.empty(n)
    last = 0.0
    for i in range(n):
        last = rho * last + math.sqrt(1 - rho * rho) * e[i]
        out[i] = last
    return sd * out


def curve(y: Array, lr: Array, micro: int = 1) -> Curve:
    steps = [
        MicroStep(i * micro + k, i, float(v), float(v), 100)
        for i, v in enumerate(y)
        for k in range(micro)
    ]
    updates = [Update(i, 0, (float(rate),), micro, 1.0) for i, rate in enumerate(lr)]
    n = len(y)
    return Curve(tuple(steps), tuple(updates), total_micro=n * micro, total_updates=n)


def decayed(n: int) -> Array:
    return 1e-3 * (0.1 + 0.45 * (1 + np.cos(np.pi * np.arange(n) / n)))


def warmed(rng: np.random.Generator, n: int) -> Array:
    """A power law after a warm-up, LR decayed."""
    warm = n // rng.integers(8, 20)
    t = np.maximum(np.arange(n) - warm / 2, 0) / n
    return 2.0 + 2.2 * (1 + 40 * t) ** -0.4


def exponential(rng: np.random.Generator, n: int) -> Array:
    return 1.8 + 2.4 * np.exp(-np.arange(n) / (n * rng.uniform(0.03, 0.3)))


def plateau(rng: np.random.Generator, n: int) -> Array:
    """A plateau at the unigram line, then the break-through."""
    t = np.arange(n) / n
    return 1.6 + 0.9 * np.exp(-t * 60) + 1.7 / (1 + np.exp((t - rng.uniform(0.15, 0.5)) * 30))


def finetuned(rng: np.random.Generator, n: int) -> Array:
    """A good model that hardly gets better."""
    return 1.9 - rng.uniform(0.0, 0.1) * (1 - np.exp(-np.arange(n) / (0.3 * n)))


def converged(rng: np.random.Generator, n: int) -> Array:
    return 1.5 + 2.5 * np.exp(-np.arange(n) / (n * 0.01))


SHAPES = (warmed, exponential, plateau, finetuned, converged)


def alarms(y: Array, lr: Array, lines: DataLines | None = LINES) -> Iterator[str]:
    trend = loss_trend(curve(y, lr))
    if trend is None:
        return
    for name in SYMPTOMS:
        evidence = (trend,) if lines is None else (trend, lines)
        if list(find(f"symptom/{name}")(*evidence)):
            yield name


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
def test_healthy_curves_hardly_ever_alarm(shape: object) -> None:
    assert callable(shape)
    rng = np.random.default_rng(7)
    counts: Counter[str] = Counter()
    for _ in range(PER_SHAPE):
        n = int(np.exp(rng.uniform(np.log(40), np.log(1500))))
        sd = float(np.exp(rng.uniform(np.log(0.01), np.log(0.3))))
        y = shape(rng, n) + noise(rng, n, sd, rng.uniform(0, 0.6), bool(rng.integers(2)))
        counts.update(alarms(y, decayed(n)))
    assert max(counts.values(), default=0) <= LIMIT * PER_SHAPE, counts


def test_flat_is_called_flat_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    flat = 4.17 + noise(rng, 400, 0.03, 0.3, False)
    assert list(alarms(flat, decayed(400))) == ["loss-flat"]
    unclear = 4.17 + noise(rng, 120, 1.5, 0.6, False)
    assert list(alarms(unclear, decayed(120))) == []
    trend = loss_trend(curve(unclear, decayed(120)))
    assert trend is not None
    assert trend.needed > 0
    assert loss_trend(curve(flat, decayed(400))).needed == 0  # type: ignore[union-attr]


def test_rise_spike_and_cut_off_are_found() -> None:
    rng = np.random.default_rng(2)
    n = 600
    base = exponential(rng, n) + noise(rng, n, 0.05, 0.3, False)
    t = np.arange(n)
    assert "loss-diverging" in list(alarms(base + np.maximum(t - 400, 0) * 0.01, decayed(n)))
    spiked = base + np.where(t >= 300, 3.0 * np.exp(-(t - 300) / 8.0), 0.0)
    assert list(alarms(spiked, decayed(n))) == ["loss-spikes"]
    straight = 4.0 - 1.5 * t / n + noise(rng, n, 0.03, 0.3, False)
    assert list(alarms(straight, np.full(n, 1e-3))) == ["undertrained"]
    assert list(alarms(straight, decayed(n))) == []


def test_one_bad_batch_is_no_spike() -> None:
    rng = np.random.default_rng(3)
    y = exponential(rng, 300) + noise(rng, 300, 0.05, 0.3, False)
    y[200] += 5.0
    assert list(alarms(y, decayed(300))) == []


def test_micro_steps_are_weighted_by_labels() -> None:
    steps = (MicroStep(0, 0, 1.0, 1.0, 300), MicroStep(1, 0, 5.0, 5.0, 100))
    one = Curve(steps, (Update(0, 0, (0.1,), 2),), total_micro=2, total_updates=1)
    name, _, y = per_update(one)
    assert (name, y.tolist()) == ("ce", [2.0])


def test_a_student_is_not_joined_to_its_teacher() -> None:
    steps = tuple(MicroStep(i, i, 3.0 if i < 50 else 1.0) for i in range(100))
    updates = tuple(Update(i % 50, i // 50, (0.1,), 51 if i == 50 else 1) for i in range(100))
    both = Curve(steps, updates, total_micro=100, total_updates=50)
    assert per_update(both)[2].tolist() == [1.0] * 50
    assert len(per_update(both, loads=(50,))[2]) == 100


def pair(own: bool) -> Curve:
    """Two optimizers, each after a backward of its own, or both after the same one."""
    per = 2 if own else 1
    losses = [1.0 + 0.01 * i for i in range(100 * per)]
    micro = tuple(MicroStep(i, i // per, v) for i, v in enumerate(losses))
    sizes = [(k, 1 if own and k == 0 and i == 0 else per) for i in range(100) for k in (0, 1)]
    updates = tuple(Update(i // 2, k, (1e-3,), size) for i, (k, size) in enumerate(sizes))
    return Curve(micro, updates, total_micro=len(micro), total_updates=100)


def test_opponents_need_not_fall() -> None:
    assert loss_trend(pair(own=True)) is None
    joint = loss_trend(pair(own=False))
    assert joint is not None
    assert joint.updates == 100
