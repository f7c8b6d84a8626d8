"""The GradScaler refuses every update: its scale falls and falls.

From its usual 65536 the scale needs 16 refusals to come down to 1, and at most as many more to
where even fp16 gradients of a summed loss fit (2^-16). 33 refusals in a row are no search any
more: the gradient is not finite at any scale.

The lines of a text tell of each refused update. RUNNING of them in a row with which the log ends,
down to NONE_LEFT or below, are no search either if they began below SEARCH. NONE_LEFT: at a scale
of 2 a number of a gradient overflows fp16 only beyond 32752, and the usual least scale is 1
(DeepSpeed, Megatron). RUNNING: a scale that fitted so many halvings ago says that gradients have
grown 32-fold, update by update; the spikes of healthy runs are single updates. SEARCH: first scales
are 65536 (torch, DeepSpeed, Fast-LLM), 32768 (TensorFlow), 2^32 (Megatron) and 128 (fairseq), the
lowest of them, whose first refusal leads to 64. Major, and critical where the search for any scale
ends.
"""

from collections.abc import Iterator
from dataclasses import replace

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import Curve, Update
from shindan.core.evidence.logs import LogScale
from shindan.core.example import Example
from shindan.core.finding import Finding

IN_A_ROW = 33
RUNNING = 5
NONE_LEFT = 2.0
SEARCH = 128.0
SMALLEST = 2.0**-16
"""Below this no fp16 gradient needs a scale."""


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
    log=Rewrite("scaled", 60, {"loss_scale": (1e-6, 1e-12)}),
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


@CHECK.also
def from_log(scale: LogScale) -> Iterator[Finding]:
    """The scale a log shows falls to its end, further than any search for the right one does."""
    far = scale.last < SMALLEST or scale.last <= scale.highest * 2.0**-IN_A_ROW
    said = scale.refused >= RUNNING and scale.last <= NONE_LEFT and scale.fell_from < SEARCH / 2
    if scale.falls >= 2 and (far or said):
        yield Finding(
            {
                "step_rows": scale.falls,
                "scale_first": scale.highest if far else scale.fell_from,
                "scale_last": scale.last,
            },
            scale.where,
            None if far else "major",
            variant="log" if far else "running",
        )


def _curve(skipped: list[bool]) -> Curve:
    scale, updates = 65536.0, []
    for i, skip in enumerate(skipped):
        updates.append(Update(i, 0, (1e-3,), 1, scale=scale, skipped=skip))
        scale *= 0.5 if skip else 1.0
    return Curve((), tuple(updates), (), len(updates), len(updates))


_RUNNING = LogScale("reducing", 5, 32.0, 32.0, 2.0, 4, refused=5, fell_from=32.0)
SICK = (
    Example(evidence=(_curve([True] * 40),), finds=({"refused": 40, "scale_first": 65536.0},)),
    Example(
        (LogScale("loss_scale", 90, 65536.0, 65536.0, 1e-8, 12),), finds=({"scale_last": 1e-8},)
    ),
    Example((_RUNNING,), finds=({"scale_last": 2.0},)),
)
HEALTHY = (
    # a search for the scale, told line by line; four refusals; many, and much is left
    Example((replace(_RUNNING, fell_from=64.0),)),
    Example((replace(_RUNNING, refused=4),)),
    Example((replace(_RUNNING, last=4.0),)),
    # a log in which the scale is found, and one in which it moves up and down
    Example((LogScale("loss_scale", 90, 65536.0, 65536.0, 1024.0, 6),)),
    Example((LogScale("loss_scale", 90, 65536.0, 262144.0, 131072.0, 1),)),
    Example(evidence=(_curve([False] * 40),)),
    # the first scale was too large
    Example(evidence=(_curve([True] * 20 + [False] * 20),)),
    Example(evidence=(_curve([True, False] * 40),)),
    Example(evidence=(Curve((), tuple(Update(i, 0, (1e-3,), 1) for i in range(40))),)),
)
