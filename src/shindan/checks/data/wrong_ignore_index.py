"""The value that should be ignored is not the one the loss ignores."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import LabelCensus
from shindan.core.example import Example
from shindan.core.finding import Finding

ENOUGH = 20
STRAY = 0.02
"""Share of the counted labels that one constant takes from four or more other tokens."""
INSIDE = 0.002
"""Share of the tokens inside texts that the ignore_index drops (an id used once in 500 tokens is
no accident)."""
MEANT = ("unk", "bos", "cls", "sep", "mask", "dist")
"""Ids that some authors leave out of the loss on purpose."""


@check(
    id="data/wrong-ignore-index",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "meta-llama/llama-cookbook#101",
        "EricFillion/happy-transformer#128",
        "mosaicml/examples#457",
        "huggingface/transformers#9547",
    ),
    explains=("symptom/below-entropy-floor",),
    fault=(
        Edit(
            script="sft_padded",
            old="labels = [IGNORE_INDEX] * len(prompt) + response",
            new="labels = [0] * len(prompt) + response",
        ),
        Edit(
            script="sft_padded",
            old="labels = [IGNORE_INDEX] * len(prompt) + response",
            new="labels = [-1] * len(prompt) + response",
        ),
        Edit(script="logkeys", old="nn.NLLLoss(ignore_index=PAD)", new="nn.NLLLoss()"),
    ),
)
def CHECK(labels: LabelCensus) -> Iterator[Finding]:
    """A constant is learnt where it is not the token; or a real token is dropped; or a crash.

    An ``ignore_index`` of 0 where 0 is padding and nothing else is right.
    """
    value = labels.crash_value
    if value is not None and value < 0:
        yield Finding(
            measured={"value": value, "ignore_index": labels.ignore_index},
            where=labels.where,
            variant="crash",
        )
    stray, n = labels.stray_value, labels.stray_counted
    if stray is not None and n >= max(ENOUGH, STRAY * labels.counted):
        yield Finding(
            measured={
                "value": stray,
                "count": n,
                "share": n / labels.counted,
                "tokens": labels.stray_ids,
                "ignore_index": labels.ignore_index,
            },
            where=labels.where,
        )
    gone = labels.dropped_id
    if gone is None or labels.dropped < max(ENOUGH, INSIDE * labels.tokens):
        return
    if labels.dropped_name not in MEANT:
        yield Finding(
            measured={"value": gone, "count": labels.dropped, "share": _share(labels)},
            where=labels.where,
            severity="minor" if labels.dropped_name == "pad" else "major",
            variant="dropped",
        )


def _share(labels: LabelCensus) -> float:
    return labels.dropped / max(1, labels.tokens)


SICK = (
    Example(
        evidence=(LabelCensus("causal", 512, 13000, 12000, -100, None, 0, 0, 0, 2500, 21),),
        finds=({"value": 0, "count": 2500, "tokens": 21},),
    ),
    Example(
        evidence=(LabelCensus("other", 0, 0, 0, -100, crash_value=-1),), finds=({"value": -1},)
    ),
    Example(
        evidence=(LabelCensus("causal", 512, 13000, 11000, 0, dropped_id=0, dropped=900),),
        finds=({"value": 0, "count": 900},),
    ),
)
HEALTHY = (
    # LogBERT: 0 is padding, and what the loss ignores
    Example(evidence=(LabelCensus("masked", 512, 12566, 3625, 0, 0, 3450),)),
    Example(evidence=(LabelCensus("causal", 512, 13000, 12000, -100),)),
    # unknown words are left out on purpose
    Example(
        evidence=(
            LabelCensus(
                "causal", 512, 13000, 11000, 0, dropped_id=0, dropped=900, dropped_name="unk"
            ),
        )
    ),
)
