"""Gradients are cleared before each micro-step, so accumulation does nothing."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.zeroing import Zeroing, ZeroingRow
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding

LEAST_WINDOWS = 3
SHARE = 0.8


@check(
    id="optimizer/zero-grad-every-micro-step",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "bytetriper/RAE#67",
        "pytorch/torchtitan#3575",
        "accelerate#616",
        "starVLA#395",
        "open-instruct#1498",
    ),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/loss-spikes"),
    subsumes=("optimizer/accumulation-normalisation",),
    fault=(
        Edit(
            script="gpt_plain",
            old="        loss = loss / gradient_accumulation_steps\n",
            new="        loss = loss / gradient_accumulation_steps\n"
            "        optimizer.zero_grad(set_to_none=True)\n",
        ),
        Edit(
            script="accumulate_amp",
            old="            for inputs, targets in window:\n",
            new="            for inputs, targets in window:\n"
            "                optimizer.zero_grad(set_to_none=True)\n",
        ),
    ),
)
def CHECK(zeroing: Zeroing) -> Iterator[Finding]:
    """Several ``backward`` calls from one line, gradients zero at each, only the last one used.

    A guarded ``zero_grad`` (Accelerate) leaves the gradients alone and so is not seen; passes with
    moved parameters (sharpness-aware steps) and gradients gathered by hand are not counted.
    """
    for row in zeroing.rows:
        if row.multi >= LEAST_WINDOWS and row.wiped >= SHARE * row.multi:
            yield Finding(
                measured={
                    "optimizer": row.optimizer,
                    "micro_steps": row.per_update,
                    "lost": (row.per_update - 1) / row.per_update,
                    "wiped": row.wiped,
                    "windows": row.multi,
                },
                where=row.zero,
            )


def _row(multi: int, wiped: int) -> ZeroingRow:
    return ZeroingRow("AdamW", 70, 0, multi, wiped, 4, NOWHERE, NOWHERE)


SICK = Example(
    evidence=(Zeroing((_row(70, 70),)),), finds=({"micro_steps": 4, "lost": 0.75, "wiped": 70},)
)
HEALTHY = (
    Example(evidence=(Zeroing((_row(70, 0),)),)),
    # one backward an update
    Example(evidence=(Zeroing((_row(0, 0),)),)),
)
