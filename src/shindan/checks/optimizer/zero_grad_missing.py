"""Gradients are never cleared between updates."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.zeroing import Zeroing, ZeroingRow
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding

LEAST_WINDOWS = 3
SHARE = 0.5
"""Share of windows that began with the gradient of the last update."""


@check(
    id="optimizer/zero-grad-missing",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("DeepSpeed#7837", "DeepSpeed#7839"),
    explains=(
        "symptom/loss-flat",
        "symptom/loss-diverging",
        "symptom/loss-spikes",
        "symptom/slow-progress",
        "symptom/at-unigram-line",
        "symptom/at-uniform-line",
        "symptom/context-ignored",
        "symptom/nan",
    ),
    subsumes=("optimizer/lr-too-high", "schedule/warmup-missing"),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="                self.model.zero_grad(set_to_none=True)\n",
            new="",
        ),
        Edit(script="sft_padded", old="            optimizer.zero_grad()\n", new=""),
        Edit(script="gpt_plain", old="    optimizer.zero_grad(set_to_none=True)\n", new=""),
        Edit(script="seqfirst_lm", old="        optimizer.zero_grad()\n", new=""),
    ),
)
def CHECK(zeroing: Zeroing) -> Iterator[Finding]:
    """At every ``backward`` of a window the gradients still held what the last step had used.

    Several losses or deliberate accumulation clear them at least once before the next step.
    """
    for row in zeroing.rows:
        if row.windows >= LEAST_WINDOWS and row.uncleared >= SHARE * row.windows:
            yield Finding(
                measured={
                    "optimizer": row.optimizer,
                    "uncleared": row.uncleared,
                    "windows": row.windows,
                    "share": row.uncleared / row.windows,
                },
                where=row.step,
            )


def _row(windows: int, uncleared: int, per_update: int = 1) -> ZeroingRow:
    return ZeroingRow("AdamW", windows, uncleared, 0, 0, per_update, NOWHERE, NOWHERE)


SICK = Example(
    evidence=(Zeroing((_row(70, 70),)),), finds=({"uncleared": 70, "windows": 70, "share": 1.0},)
)
HEALTHY = (
    Example(evidence=(Zeroing((_row(70, 0),)),)),
    # accumulation over four: dirty at three of four starts, cleared before the first
    Example(evidence=(Zeroing((_row(70, 0, 4),)),)),
    # too few to say
    Example(evidence=(Zeroing((_row(2, 2),)),)),
)
