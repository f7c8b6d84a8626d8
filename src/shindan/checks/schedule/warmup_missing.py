"""Adam starts at full learning rate, and its first steps throw the model off."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, MicroStep, Update
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.steplengths import losses, overshoots

FULL = 0.9
EARLY = 10
"""Updates that a warm-up would have covered at the very least."""
SPIKE = 1.05
"""The worst early loss over the first one."""


@check(
    id="schedule/warmup-missing",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("bert#649", "mup#40"),
    explains=(
        "symptom/loss-spikes",
        "symptom/slow-progress",
        "symptom/loss-diverging",
        "symptom/at-unigram-line",
        "symptom/context-ignored",
    ),
    fault=Edit(
        script="gpt_plain",
        old="""    if it < warmup_iters:
        return learning_rate * (it + 1) / warmup_iters
    ratio = (it - warmup_iters) / (max_iters - warmup_iters)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)
""",
        new="""    ratio = it / max_iters
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (2e-2 - min_lr)
""",
    ),
)
def CHECK(test: StepTest, curve: Curve, ledger: ParamLedger) -> Iterator[Finding]:
    """Full LR at update 0 under Adam, an early step that overshoots, a loss above its start.

    A start at full LR that does no harm (small LR, pre-norm) is silent.
    """
    main = max(ledger.optimizers, key=lambda o: o.elements, default=None)
    rates = [u.lr[0] for u in curve.updates if u.lr]
    early = [p for p in test.points if p.update <= EARLY]
    values = losses(curve)
    if main is None or not main.scale_free or not early or len(rates) <= EARLY:
        return
    if not values:
        return  # NaN throughout
    per_update = max(1, len(values) // len(rates))
    head = values[: EARLY * per_update]
    worst = max(head[per_update:], default=0.0)
    if min(rates[:3]) < FULL * max(rates) or worst <= SPIKE * head[0]:
        return
    wasted = [p for p in early if overshoots(p)]
    if wasted:
        point = wasted[0]
        yield Finding(
            measured={
                "lr": rates[0],
                "update": point.update,
                "tenth": point.start - point.tenth,
                "whole": point.start - point.whole,
                "first": head[0],
                "worst": worst,
            }
        )


def _curve(values: list[float], warm: bool) -> Curve:
    micro = tuple(MicroStep(i, i, v) for i, v in enumerate(values))
    rates = [1e-2 * min(1.0, (i + 1) / 10 if warm else 1.0) for i in range(len(values))]
    return Curve(micro, tuple(Update(i, 0, (r,), 1) for i, r in enumerate(rates)))


_CALM = [3.2 - 0.02 * i for i in range(40)]
_SPIKED = [3.2, 3.1, 3.3, 4.1, 3.9, 3.6, *[3.2 - 0.02 * i for i in range(34)]]
_ADAM = ParamLedger((), (OptimizerRow(0, "Adam", True, 1e-8, 90_000, 40, (0.0,), 0.0),), 6, 40)
_OVER = StepTest((StepPoint(2, 1e-2, 3.1, 3.06, 3.4, 6.0, 70.0),))
_FINE = StepTest((StepPoint(2, 1e-2, 3.1, 3.09, 3.02, 3.1, 9.0),))

SICK = Example(
    evidence=(_OVER, _curve(_SPIKED, warm=False), _ADAM), finds=({"update": 2, "worst": 4.1},)
)
HEALTHY = (
    Example(evidence=(_FINE, _curve(_CALM, warm=False), _ADAM)),
    Example(evidence=(_OVER, _curve(_CALM, warm=False), _ADAM)),
    Example(evidence=(_OVER, _curve(_SPIKED, warm=True), _ADAM)),
    # NaN throughout
    Example(evidence=(_OVER, _curve([float("nan")] * 40, warm=False), _ADAM)),
)
