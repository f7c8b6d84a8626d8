"""Gradients are clipped while the GradScaler's scale is still in them."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.clipping import Clipping, ClipRow
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding

LEAST_CALLS = 3
SHARE = 0.5
ACTIVE = 0.2
"""A limit that is hardly ever reached, scale and all, does no harm (it may be scaled too)."""


@check(
    id="optimizer/clip-before-unscale",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "Lightning#9599",
        "pytorch/examples#1196",
        "Pytorch-UNet#468",
        "returnn#1595",
        "icefall#2081",
        "accelerate#88",
    ),
    explains=("symptom/loss-flat", "symptom/slow-progress", "symptom/at-uniform-line"),
    subsumes=("optimizer/clip-always-active", "optimizer/lr-too-low"),
    fault=Edit(script="accumulate_amp", old="            scaler.unscale_(optimizer)\n", new=""),
)
def CHECK(clipping: Clipping) -> Iterator[Finding]:
    """The clipping call found a scale above one inside, and its limit was exceeded."""
    for row in clipping.rows:
        enough = row.calls >= LEAST_CALLS and row.scaled >= SHARE * row.calls
        if enough and (row.active >= ACTIVE or row.by_value):
            yield Finding(
                measured={
                    "scale": row.scale,
                    "limit": row.limit,
                    "norm": row.norm,
                    "norm_seen": row.norm * row.scale,
                    "effective": row.limit / row.scale,
                    "calls": row.scaled,
                },
                where=row.where,
                variant="value" if row.by_value else "",
            )


def _row(scaled: int, active: float, scale: float = 65536.0) -> ClipRow:
    return ClipRow(NOWHERE, 1.0, False, 100, scaled, scale, active, 5e4, 1.3)


SICK = Example(
    evidence=(Clipping((_row(100, 1.0),)),), finds=({"scale": 65536.0, "limit": 1.0, "calls": 100},)
)
HEALTHY = (
    Example(evidence=(Clipping((_row(0, 1.0, 1.0),)),)),
    # the limit is multiplied by the scale as well
    Example(evidence=(Clipping((_row(100, 0.1),)),)),
)
