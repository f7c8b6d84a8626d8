"""Real tokens read the padding and not each other.

Intervention: exchanging padding's content moves real tokens, exchanging as many real tokens moves
the other real ones by less than REALS of that (0 when the mask is inverted).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import AttentionCall, PaddingProbe
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

REALS = 0.03
MOVES = 1e-6


@check(
    id="model/attention-mask-inverted",
    kind="cause",
    severity="critical",
    grounds="intervention",
    refs=("pytorch/pytorch#27968",),
    explains=(
        "symptom/context-ignored",
        "symptom/at-unigram-line",
        "symptom/slow-progress",
        "symptom/nan",
    ),
    subsumes=("model/attention-mask-ignored",),
    fault=(
        Edit(
            script="bert_mlm",
            old="additive_mask = (~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min",
            new="additive_mask = attention_mask[:, None, None, :] * torch.finfo(x.dtype).min",
        ),
        Edit(
            script="bert_mlm",
            old="(~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min",
            new="attention_mask[:, None, None, :] * -10000.0",
        ),
        Edit(
            script="sft_padded",
            old="padding_mask = attention_mask == 0  #",
            new="padding_mask = attention_mask == 1  #",
        ),
    ),
)
def CHECK(padding: PaddingProbe) -> Iterator[Finding]:
    """Padding moves real tokens and real tokens do not; or nothing does, until the mask is turned.

    In a causal model padding stands behind the tokens and moves nothing either way: there the
    opposite mask lets the tokens see each other, and the one that is passed does not at all.
    """
    if padding.attention is None:
        return
    measured: dict[str, float | int | str] = {
        "pads": padding.pads,
        "reals": padding.reals,
        "pad_id": padding.pad_id,
        "share": padding.share,
        "mask": padding.mask or "-",
    }
    if padding.pads > MOVES:
        if padding.reals <= REALS * padding.pads:
            yield Finding(measured=measured, where=padding.attention.where)
    elif padding.reals == 0.0 and padding.turned is not None and padding.turned > MOVES:
        measured["turned"] = padding.turned
        yield Finding(measured=measured, where=padding.attention.where, variant="blind")


_CALL = AttentionCall("softmax", Where("t.py", 9), 32, 0.4)
SICK = (
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", None, 0.5, 0.0, _CALL),),
        finds=({"pads": 0.5, "reals": 0.0},),
    ),
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", 1, 0.0, 0.0, _CALL, turned=0.4),),
        finds=({"reals": 0.0, "turned": 0.4},),
    ),
)
HEALTHY = (
    Example(evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", None, 0.0, 0.5, _CALL),)),
    Example(evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", None, 0.5, 0.5, _CALL),)),
    # attention that has not learnt to mix yet: nothing moves, whatever the mask
    Example(evidence=(PaddingProbe(0, 0.2, "right", None, 1, 0.0, 0.0, _CALL),)),
    Example(
        evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", 1, 0.0, 0.0, _CALL, turned=0.0),)
    ),
    # a causal model with the right mask
    Example(evidence=(PaddingProbe(0, 0.2, "right", "attention_mask", 1, 0.0, 0.5, _CALL),)),
)
