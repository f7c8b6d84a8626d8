"""The same tokens get other logits when their padding stands on the other side.

Intervention: left-padded rows are rolled, with their mask, until the padding is on the right. With
positions counted from the first real token, or relative ones (RoPE, ALiBi), nothing moves but
rounding: 1e-6 of the logits' spread in float32, below 16 eps in bfloat16. With positions counted
from the left edge: 0.1 and more.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import AttentionCall, PaddingProbe, ShiftProbe
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

MOVED = 0.02
ROUNDINGS = 16
CLEAN = 0.03
"""Padding that is attended moves the logits by itself: model/attention-mask-ignored."""


@check(
    id="model/left-padding-positions",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("ndif-team/nnsight#673", "TransformerLens#1609", "huggingface/transformers#33095"),
    explains=("symptom/slow-progress",),
    fault=(
        Edit(
            script="left_padded",
            old="position_ids = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)",
            new="position_ids = torch.arange(input_ids.size(1)).expand_as(input_ids)",
        ),
    ),
)
def CHECK(shift: ShiftProbe, padding: PaddingProbe) -> Iterator[Finding]:
    """Logits depend on how much padding stands before the row."""
    if padding.pads > CLEAN * padding.reals or shift.spread <= 0:
        return
    ratio = shift.moved / shift.spread
    if ratio > max(MOVED, ROUNDINGS * shift.eps):
        yield Finding(
            measured={
                "ratio": ratio,
                "moved": shift.moved,
                "rows": shift.rows,
                "share": padding.share,
                "pad_id": padding.pad_id,
            },
            where=shift.where,
        )


_CALL = AttentionCall("softmax", Where("t.py", 9), 32, 0.0)
_CLEAN = PaddingProbe(0, 0.2, "left", "attention_mask", 1, 0.0, 0.5, _CALL)
SICK = Example(
    evidence=(ShiftProbe(15, 0.6, 1.2, 1.2e-7), _CLEAN), finds=({"ratio": 0.5, "rows": 15},)
)
HEALTHY = (
    Example(evidence=(ShiftProbe(15, 1e-7, 1.2, 1.2e-7), _CLEAN)),
    # rotary positions in bfloat16: rounding only
    Example(evidence=(ShiftProbe(15, 0.06, 1.2, 7.8e-3), _CLEAN)),
    # the padding itself is attended
    Example(
        evidence=(
            ShiftProbe(15, 0.6, 1.2, 1.2e-7),
            PaddingProbe(0, 0.2, "left", None, 1, 0.5, 0.5, _CALL),
        )
    ),
)
