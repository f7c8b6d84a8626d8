"""Padding counts in the loss."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import LabelCensus
from shindan.core.example import Example
from shindan.core.finding import Finding

ENOUGH = 20
MAJOR = 0.02
"""Share of the counted labels from which the loss is another number than meant; below it the
batches are nearly of one length and it costs little."""
NEARLY_NONE = 0.001
MASKED = 0.5
"""A masked language model that draws its masks among padding too counts a small part of it (that
is ``data/special-tokens-masked``); one that counts padding counts nearly all."""


@check(
    id="data/padding-in-loss",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("EleutherAI/gpt-neo#45", "ml-explore/mlx-lm#1855"),
    explains=("symptom/below-entropy-floor",),
    fault=(
        Edit(
            script="sft_padded",
            old='row["labels"] + [IGNORE_INDEX] * n_pad',
            new='row["labels"] + [PAD_ID] * n_pad',
        ),
        Edit(
            script="accumulate_amp",
            old="    targets = targets.masked_fill(targets == PAD, IGNORE)\n",
            new="",
        ),
        Edit(
            script="custom_loss",
            old="return nll, (targets != PAD).float()",
            new="return nll, torch.ones_like(nll)",
        ),
    ),
)
def CHECK(labels: LabelCensus) -> Iterator[Finding]:
    """Counted labels that are padding, predicted at positions which are themselves padding.

    The step from the last real token to the first padding is not counted: where padding and end
    of text share an id it is the end, and meant. Labels that a class weight, a factor on the loss
    or a selection takes out are not counted either.
    """
    n, counted = labels.padding_counted, labels.counted
    if labels.relation == "other" or n < ENOUGH or n <= NEARLY_NONE * counted:
        return
    if labels.relation == "masked" and n < MASKED * labels.padding:
        return
    share = n / counted
    yield Finding(
        measured={"share": share, "pad_id": labels.pad_id or 0, "padding": n, "counted": counted},
        where=labels.where,
        severity="major" if share >= MAJOR else "minor",
    )


def _census(padding: int, relation: str = "causal", held: int = 3000) -> LabelCensus:
    return LabelCensus(
        relation,  # type: ignore[arg-type]
        rows=512,
        tokens=9000,
        counted=9000 + padding,
        ignore_index=-100,
        pad_id=0,
        padding=held,
        padding_counted=padding,
    )


SICK = (
    Example(evidence=(_census(3000),), finds=({"share": 0.25, "padding": 3000, "pad_id": 0},)),
    Example(evidence=(_census(90),), finds=({"padding": 90},)),
)
HEALTHY = (
    Example(evidence=(_census(0),)),
    # the labels of a tagger may well be 0 where the input is padded
    Example(evidence=(_census(3000, "other"),)),
    # masks drawn among padding: another finding
    Example(evidence=(_census(45, "masked"),)),
)
