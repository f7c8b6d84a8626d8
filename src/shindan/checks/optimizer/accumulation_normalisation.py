"""Accumulated micro-steps are not normalised as one batch."""

import statistics
from collections.abc import Iterator, Sequence

from shindan.core.check import Edit, check
from shindan.core.evidence.accumulation import Accumulation, Window
from shindan.core.evidence.clipping import Clipping
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger
from shindan.core.evidence.zeroing import Zeroing, ZeroingRow
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding, Severity

LEAST_WINDOWS = 3
GATHERED = 0.8
EQUAL = 0.02
"""Relative difference of micro-steps' total weights that is still equality."""
ACTIVE = 0.2
"""Share of clipped updates from which a constant factor is no longer harmless under Adam."""
MAJOR, MINOR, INFO = 0.889, 0.96, 0.9975
"""Efficiency below which unequal weights are told. For two micro-steps these are label counts in
the ratio 1 : 2, 1 : 1.5 and 1 : 1.1."""


@check(
    id="optimizer/accumulation-normalisation",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "transformers#34191",
        "transformers#35438",
        "transformers#37766",
        "huggingface/blog#2414",
        "distillKitPlus#5",
        "OpenNMT-py#526",
    ),
    explains=("symptom/slow-progress", "symptom/loss-spikes", "symptom/loss-diverging"),
    fault=(
        Edit(script="gpt_plain", old="        loss = loss / gradient_accumulation_steps\n", new=""),
        Edit(
            script="gpt_plain",
            old="        loss = loss / gradient_accumulation_steps\n",
            new="        last = F.cross_entropy(logits[:, -1], Y[:, -1])  # the end of a row\n"
            "        loss = last + 0.25 * loss\n",
        ),
        Edit(
            script="accumulate_amp",
            old="/ n_tokens\n                scaler.scale",
            new="/ (targets != IGNORE).sum()\n                scaler.scale",
        ),
    ),
)
def CHECK(
    accumulation: Accumulation,
    zeroing: Zeroing,
    ledger: ParamLedger | None,
    clipping: Clipping | None,
) -> Iterator[Finding]:
    """The weight of one label in each micro-step, from the gradient at the loss.

    Undivided: each micro-step alone has total weight one; beside a language loss of another weight
    the heaviest term has, and nothing was divided by the number of micro-steps. Mean of means:
    equal totals over unequal counts; the efficiency is (sum n w)^2 / (sum n * sum n w^2), one when
    all labels weigh alike.
    Sums divided by a constant or by the window's tokens weigh labels alike and are silent.
    """
    windows = [w for w in accumulation.windows if _is_one_loss(w)]
    if len(windows) < LEAST_WINDOWS or not any(_gathers(r) for r in zeroing.rows):
        return
    totals = [sum(w.heaviest if w.heaviest and _undivided(w) else w.shares) for w in windows]
    efficiency = statistics.median(_efficiency(w) for w in windows)
    undivided = statistics.median(_undivided(w) for w in windows)
    equal_totals = statistics.median(_spread(w.shares) < 1 + EQUAL for w in windows)
    measured: dict[str, int | float] = {
        "micro_steps": round(statistics.median(len(w.labels) for w in windows)),
        "total": statistics.median(totals),
        "ratio": statistics.median(_spread(w.weights) for w in windows),
        "fewest": round(statistics.median(min(w.labels) for w in windows)),
        "most": round(statistics.median(max(w.labels) for w in windows)),
        "efficiency": efficiency,
    }
    unequal = _unequal(efficiency) if equal_totals == 1 else None
    if undivided == 1:
        factor = "minor" if _harmless(ledger, clipping) and unequal != "major" else "major"
        yield Finding(measured, accumulation.backward, "minor" if factor == "minor" else "major")
    elif unequal is not None:
        yield Finding(measured, accumulation.loss, unequal, variant="means")


def _is_one_loss(window: Window) -> bool:
    """The same lines each time: several losses with a ``backward`` each are another matter."""
    return len(set(window.lines)) == len(set(window.losses)) == 1 and min(window.weights) > 0


def _undivided(window: Window) -> bool:
    if all(abs(s - 1) < EQUAL for s in window.shares):
        return True
    count = len(window.labels)
    divided = any(abs(f * count - 1) < EQUAL for f in window.factors)
    weighed = bool(window.heaviest) and all(abs(s - 1) < EQUAL for s in window.heaviest)
    return weighed and not divided


def _gathers(row: ZeroingRow) -> bool:
    """Gradients add up in place; not so in sharpness-aware steps, or when summed by hand."""
    return row.multi >= LEAST_WINDOWS and row.gathered >= GATHERED * row.multi


def _efficiency(window: Window) -> float:
    shares = window.shares
    squares = sum(s * w for s, w in zip(shares, window.weights, strict=True))
    return sum(shares) ** 2 / (sum(window.labels) * squares)


def _spread(values: Sequence[float]) -> float:
    return max(values) / min(values)


def _unequal(efficiency: float) -> Severity | None:
    if efficiency <= MAJOR:
        return "major"
    if efficiency <= MINOR:
        return "minor"
    return "info" if efficiency <= INFO else None


def _harmless(ledger: ParamLedger | None, clipping: Clipping | None) -> bool:
    """A constant factor cancels in Adam's steps, unless clipping sees it first."""
    if ledger is None or not ledger.optimizers:
        return False
    main = max(ledger.optimizers, key=lambda o: o.elements)
    clipped = clipping is not None and any(r.active >= ACTIVE for r in clipping.rows)
    return main.scale_free and not clipped


def _windows(
    labels: tuple[int, ...],
    weights: tuple[float, ...],
    heaviest: tuple[float, ...] = (),
    factors: tuple[float, ...] = (),
) -> Accumulation:
    lines = (7,) * len(labels)
    window = Window(0, labels, weights, lines, lines, (), heaviest, factors)
    return Accumulation((window,) * 4, NOWHERE, NOWHERE)


_ADDS = Zeroing((ZeroingRow("SGD", 50, 0, 50, 0, 2, NOWHERE, NOWHERE, gathered=50),))
_APART = Zeroing((ZeroingRow("SGD", 50, 0, 50, 0, 2, NOWHERE, NOWHERE, gathered=0),))
_SGD = ParamLedger((), (OptimizerRow(0, "SGD", False, 0.0, 9000, 100, (0.0,), 0.0),), 7, 100)
_ADAM = ParamLedger((), (OptimizerRow(0, "Adam", True, 1e-8, 9000, 100, (0.0,), 0.0),), 7, 100)

SICK = (
    Example(
        evidence=(_windows((64, 64), (1 / 64, 1 / 64)), _ADDS, _SGD),
        finds=({"micro_steps": 2, "total": 2.0, "ratio": 1.0},),
    ),
    # a tenth of the language loss beside a whole one over classes
    Example(
        evidence=(_windows((64, 64), (0.1 / 64, 0.1 / 64), (1.0, 1.0), (0.1,)), _ADDS, _SGD),
        finds=({"micro_steps": 2, "total": 2.0},),
    ),
    Example(
        evidence=(_windows((66, 234), (0.5 / 66, 0.5 / 234)), _ADDS, _ADAM),
        finds=({"total": 1.0, "fewest": 66, "most": 234},),
    ),
)
HEALTHY = (
    # divided by the number of micro-steps, equal counts
    Example(evidence=(_windows((64, 64), (0.5 / 64, 0.5 / 64)), _ADDS, _SGD)),
    # the same divided; weights of 1 and 2, divided
    Example(
        evidence=(_windows((64, 64), (0.05 / 64, 0.05 / 64), (0.5, 0.5), (0.1, 0.5)), _ADDS, _SGD)
    ),
    Example(
        evidence=(_windows((64, 64), (0.5 / 64, 0.5 / 64), (1.0, 1.0), (0.5, 2.0)), _ADDS, _SGD)
    ),
    # sums over the tokens of the whole window
    Example(evidence=(_windows((66, 234), (1 / 300, 1 / 300)), _ADDS, _SGD)),
    # two passes of a sharpness-aware step
    Example(evidence=(_windows((64, 64), (1 / 64, 1 / 64)), _APART, _SGD)),
    # sums over everything, never divided: a design
    Example(evidence=(_windows((66, 234), (1.0, 1.0)), _ADDS, _SGD)),
)
