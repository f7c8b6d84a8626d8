"""A masked language model is asked for special tokens."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import Corruption, SpecialShare
from shindan.core.example import Example
from shindan.core.finding import Finding

POSITIONS = 40
COUNTED = 8
RATIO = 0.3
"""Counted as often as a third of the rate of content: a draw that spares specials gives 0, one
that does not gives 1."""
EVERYWHERE = 0.9
"""Above this rate of content every position counts (``data/mlm-loss-on-all-positions``); padding
that counts at such a rate beside content that does not was not drawn: ``data/padding-in-loss``."""
ENDS = ("eos", "sep")
"""Some models mask these on purpose (how long the text is)."""


@check(
    id="data/special-tokens-masked",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "huggingface/transformers#1395",
        "huggingface/transformers#11155",
        "google-research/bert#166",
    ),
    fault=(
        Edit(
            script="bert_mlm",
            old="can_mask = ids >= FIRST_CONTENT",
            new="can_mask = torch.ones_like(ids, dtype=torch.bool)",
        ),
        Edit(
            script="distill",
            old="chosen = (torch.rand(ids.shape, generator=generator) < 0.2) & (ids >= FIRST_WORD)",
            new="chosen = torch.rand(ids.shape, generator=generator) < 0.2",
        ),
    ),
)
def CHECK(corruption: Corruption) -> Iterator[Finding]:
    """Special positions are drawn about as often as content."""
    if not corruption.tokens or corruption.counted >= EVERYWHERE * corruption.tokens:
        return
    rate = corruption.counted / corruption.tokens
    drawn = [
        s
        for s in corruption.specials
        if s.positions >= POSITIONS
        and s.counted >= COUNTED
        and s.counted >= RATIO * rate * s.positions
        and not (s.name == "pad" and s.counted >= EVERYWHERE * s.positions)
    ]
    if not drawn:
        return
    n = sum(s.counted for s in drawn)
    yield Finding(
        measured={
            "count": n,
            "share": n / (n + corruption.counted),
            "names": tuple(s.name for s in drawn),
            "ids": tuple(s.id for s in drawn),
        },
        where=corruption.where,
        severity="minor" if all(s.name in ENDS for s in drawn) else "major",
    )


def _corruption(*specials: SpecialShare, counted: int = 2780) -> Corruption:
    return Corruption(3, 18460, counted, 2235, 305, 240, 0, 0.9, 768, specials)


SICK = (
    Example(
        evidence=(
            _corruption(SpecialShare(0, "pad", 3956, 590), SpecialShare(1, "cls", 768, 115)),
        ),
        finds=({"count": 705, "names": ("pad", "cls")},),
    ),
)
HEALTHY = (
    Example(
        evidence=(_corruption(SpecialShare(0, "pad", 3956, 0), SpecialShare(1, "cls", 768, 0)),)
    ),
    # labels are padded with the padding's id: another finding
    Example(evidence=(_corruption(SpecialShare(0, "pad", 3956, 3956)),)),
    # all positions count: another finding
    Example(evidence=(_corruption(SpecialShare(1, "cls", 768, 768), counted=18460),)),
    # a name that belongs to another vocabulary: hardly ever in the text
    Example(evidence=(_corruption(SpecialShare(7, "eos", 12, 2)),)),
)
