"""Real tokens' logits move when only the content of padding changes.

Intervention: the vectors at padded positions are exchanged, masks stay. Compared with exchanging as
many real tokens: 0 under any mask that closes (additive -1e4 included), about 1 when padding is
attended like a token, 0.3 for a mask that adds 1 and 0 to the scores. SHARE lies between. The
median over positions, so that a convolution beside the padding does not count.
"""

import re
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import AttentionCall, BatchProbe, PaddingProbe
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

SHARE = 0.03
INVERTED = 0.03
"""Below it real tokens do not reach each other: model/attention-mask-inverted."""
OTHER = re.compile(r"loss|label|target|pool|score|crf", re.IGNORECASE)
"""A mask of such a name is not meant for the attention."""
_VARIANTS = {"": "no_argument", "unused": "unused"}


@check(
    id="model/attention-mask-ignored",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("IndicBERT#20", "axolotl-ai-cloud/axolotl#3735", "bert_nli#3", "minimind-v#76"),
    explains=("symptom/slow-progress",),
    fault=(
        Edit(
            script="bert_mlm",
            old="            x = layer(x, additive_mask)",
            new="            x = layer(x, torch.zeros(()))",
        ),
        Edit(
            script="bert_mlm",
            old="additive_mask = (~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min",
            new="additive_mask = attention_mask[:, None, None, :].float()",
        ),
        Edit(
            script="logkeys",
            old="            x = block(x, src_key_padding_mask=padding)",
            new="            x = block(x)",
        ),
        Edit(
            script="left_padded",
            old="allowed = causal & attention_mask.bool()[:, None, None, :]",
            new="allowed = causal.expand(len(attention_mask), 1, t, t)",
        ),
    ),
)
def CHECK(padding: PaddingProbe, batch: BatchProbe | None) -> Iterator[Finding]:
    """Padding moves real tokens, and real tokens move each other too.

    Minor where nothing shows that a mask was meant: a model may do without (it learns what
    padding looks like), as long as it is always padded alike.
    """
    if padding.attention is None or _rows_mix(batch):
        return
    if padding.pads <= SHARE * padding.reals or padding.reals <= INVERTED * padding.pads:
        return
    yield Finding(
        measured={
            "ratio": padding.pads / padding.reals,
            "pads": padding.pads,
            "reals": padding.reals,
            "pad_id": padding.pad_id,
            "share": padding.share,
            "side": padding.side,
            "mask": padding.mask or padding.known or "-",
        },
        where=padding.attention.where,
        severity=None if _meant(padding) else "minor",
        variant="" if padding.mask else _VARIANTS.get(padding.known, "known"),
    )


def _meant(padding: PaddingProbe) -> bool:
    return bool(padding.known) or (padding.mask is not None and not OTHER.search(padding.mask))


def _rows_mix(batch: BatchProbe | None) -> bool:
    return batch is not None and batch.others > 0 and batch.moved / batch.others > 1e-3


_CALL = AttentionCall("softmax", Where("t.py", 9), 32, 0.4)
SICK = (
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", None, 0.5, 0.5, _CALL),),
        finds=({"ratio": 1.0, "mask": "attention_mask"},),
    ),
    Example(
        evidence=(PaddingProbe(0, 0.2, "left", None, 1, 0.2, 0.5, _CALL),),
        finds=({"ratio": 0.4, "mask": "-"},),
    ),
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", None, None, 0.5, 0.5, _CALL, "attention_mask"),),
        finds=({"mask": "attention_mask"},),
    ),
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", None, None, 0.5, 0.5, _CALL, "unused"),),
        finds=({"mask": "unused"},),
    ),
)
HEALTHY = (
    Example(evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", None, 0.0, 0.5, _CALL),)),
    # a causal model with padding on the right needs no mask: nothing moves
    Example(evidence=(PaddingProbe(0, 0.2, "right", None, 1, 0.0, 0.5, _CALL),)),
    # no attention: a recurrence or a convolution
    Example(evidence=(PaddingProbe(0, 0.2, "right", None, None, 0.5, 0.5, None),)),
    # inverted is another fault
    Example(evidence=(PaddingProbe(0, 0.2, "right", "mask", None, 0.5, 0.0, _CALL),)),
)
