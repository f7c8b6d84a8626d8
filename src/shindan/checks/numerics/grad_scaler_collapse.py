"""The GradScaler refuses every update: its scale falls and falls.

From its usual 65536 the scale needs 16 refusals to come down to 1, and at most as many more to
where even fp16 gradients of a summed loss fit (2^-16). 33 refusals in a row are no search any
more: the gradient is not finite at any scale.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve, Update
from shindan.core.example import Example
from shindan.core.finding import Finding

IN_A_ROW = 33


@check(
    id="numerics/grad-scaler-collapse",
    kind="cause",
    severity="critical",
    grounds="threshold",
    refs=("apex#715", "Chinese-LLaMA-Alpaca#534", "gpt-neox#291", "DeepSpeed#931"),
    explains=("symptom/loss-flat", "symptom/at-uniform-line"),
    fault=(
        Edit(
            script="accumulate_amp",
            old="                scaler.scale(loss).backward()\n",
            new="                loss = loss + 0 * (loss - loss.detach()).abs().sqrt()\n"
            "                scaler.scale(loss).backward()\n",
        ),
    ),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    """So many refusals at the end of the run, one after another, that no scale helps."""
    updates = [u for u in curve.updates if u.scale is not None]
    refused = 0
    for update in reversed(updates):
        if not update.skipped:
            break
        refused += 1
    if refused >= IN_A_ROW:
        yield Finding(
            {
                "refused": refused,
                "updates": len(updates),
                "scale_first": updates[0].scale or 0.0,
                "scale_last": updates[-1].scale or 0.0,
            }
        )


def _curve(skipped: list[bool]) -> Curve:
    scale, updates = 65536.0, []
    for i, skip in enumerate(skipped):
        updates.append(Update(i, 0, (1e-3,), 1, scale=scale, skipped=skip))
        scale *= 0.5 if skip else 1.0
    return Curve((), tuple(updates), (), len(updates), len(updates))


SICK = Example(evidence=(_curve([True] * 40),), finds=({"refused": 40, "scale_first": 65536.0},))
HEALTHY = (
    Example(evidence=(_curve([False] * 40),)),
    # the first scale was too large
    Example(evidence=(_curve([True] * 20 + [False] * 20),)),
    Example(evidence=(_curve([True, False] * 40),)),
    Example(evidence=(Curve((), tuple(Update(i, 0, (1e-3,), 1) for i in range(40))),)),
)
