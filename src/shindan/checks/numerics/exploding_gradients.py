"""Gradients (or weights) grow by orders of magnitude until a number overflows.

GROWTH: the gradient norm of a healthy run varies by tens (a warm-up from a cold start, a hard
batch); spikes published for large models are 10 to 100 times the median. A thousand times the
median of the run's beginning, directly before a number that is not finite, is neither.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import median

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, MicroStep, Update
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation, Weight
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

GROWTH = 1e3
HUGE_WEIGHT = 1e6
"""RMS of a parameter that no trained model has."""
LAST = 20
"""Updates before the overflow in which the peak is sought."""
UNEXPLAINED = ("log", "log2", "log10", "sqrt", "rsqrt", "div", "nll_loss", "mean")
"""Operations whose non-finite result has a cause of its own."""


@check(
    id="numerics/exploding-gradients",
    kind="cause",
    severity="critical",
    grounds="threshold",
    refs=("transformers#45676", "lingua#52"),
    explains=("symptom/nan", "symptom/loss-diverging", "symptom/loss-spikes"),
    fault=Edit(
        script="seqfirst_lm",
        old="    if val_loss > best_val_loss - 0.2:  # anneal once the validation loss falls"
        " slowly\n        for group in optimizer.param_groups:\n"
        '            group["lr"] = max(LR_FLOOR, group["lr"] / 2.0)',
        new='    for group in optimizer.param_groups:\n        group["lr"] = group["lr"] * 1e5',
    ),
)
def CHECK(curve: Curve, first: FirstNonFinite | None) -> Iterator[Finding]:
    """Growth up to the first non-finite number that no single operation explains."""
    event = first.event if first else None
    end = _end(curve, event)
    if end is None or (event is not None and _explained(event)):
        return
    made = [u for u in curve.updates if not u.skipped and u.index < end]
    norms = [u.grad_norm for u in made if u.grad_norm is not None and math.isfinite(u.grad_norm)]
    growth = _growth(norms)
    heavy = event.largest[0] if event and event.largest else Weight("", 0.0)
    if growth < GROWTH and heavy.rms < HUGE_WEIGHT:
        return
    yield Finding(
        measured={
            "growth": growth,
            "peak": max(norms[-LAST:], default=0.0),
            "update": end,
            "lr": max(made[-1].lr) if made else 0.0,
            "weight": heavy.name,
            "rms": heavy.rms,
        },
        where=Where(module=heavy.name or None),
        variant="weights" if growth < GROWTH else "",
    )


def _end(curve: Curve, event: Event | None) -> int | None:
    if event is not None:
        return event.update + 1 if event.seen_in == "loss" else event.update
    return min((m.update for m in curve.micro if not math.isfinite(m.loss)), default=None)


def _explained(event: Event) -> bool:
    if not event.chain:
        return False
    begun, last = event.chain[0], event.chain[-1]
    return last.dead_rows > 0 or (begun.name in UNEXPLAINED and begun.zeros > 0)


def _growth(norms: Sequence[float]) -> float:
    if len(norms) < 2:
        return 1.0
    early = median(norms[: max(1, min(len(norms) // 3, 50))])
    return max(norms[-LAST:]) / early if early > 0 else 1.0


def _run(*norms: float) -> Curve:
    updates = tuple(Update(i, 0, (0.5,), 1, n) for i, n in enumerate(norms))
    micro = tuple(MicroStep(i, i, 3.0) for i in range(len(norms)))
    return Curve(micro, updates, total_micro=len(micro), total_updates=len(updates))


def _overflow(name: str, zeros: int = 0, rms: float = 1.0) -> FirstNonFinite:
    operand = Operand((8, 8), "float32", -1e30, 1e30, 64, zeros=zeros)
    made = Operation(name, "forward", (operand,), None, "model.py", 30)
    heavy = (Weight("layers.0.weight", rms),)
    return FirstNonFinite(Event(4, 4, "loss", (made,), harm="weights", largest=heavy))


SICK = (
    Example(
        evidence=(_run(1.0, 2.0, 60.0, 4e4, 1e9), _overflow("bmm")),
        finds=({"growth": 1e9, "update": 5, "lr": 0.5},),
    ),
    Example(evidence=(_run(1.0), _overflow("bmm", rms=1e9)), finds=({"rms": 1e9},)),
)
HEALTHY = (
    Example(evidence=(_run(1.0, 0.9, 0.8, 0.7), FirstNonFinite())),
    # norms vary by tens, and the NaN has another origin
    Example(evidence=(_run(1.0, 30.0, 0.8, 2.0), _overflow("bmm"))),
    # a logarithm of zero is a cause of its own
    Example(evidence=(_run(1.0, 2.0, 60.0, 4e4, 1e9), _overflow("log", zeros=3))),
    # growth alone, all finite
    Example(evidence=(_run(1.0, 2.0, 60.0, 4e4, 1e9), FirstNonFinite())),
)
