"""A masked language model's loss counts every position, masked or not."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import Corruption
from shindan.core.example import Example
from shindan.core.finding import Finding

ALL = 0.95
"""Nearly every content position counts."""
HIDDEN = (0.02, 0.6)
"""Share of content that is hidden in a masked language model's input."""
DRAWN = 3.0
"""Above this spread of the number hidden per row, the rate itself is drawn per row: a denoiser
(discrete diffusion), whose loss may well be over all positions. Independent draws give 1."""


@check(
    id="data/mlm-loss-on-all-positions",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "huggingface/transformers#20797",
        "huggingface/transformers#4840",
        "lucidrains/mlm-pytorch#2",
    ),
    explains=("symptom/below-entropy-floor",),
    fault=(
        Edit(script="bert_mlm", old="    labels[~chosen] = -100\n", new=""),
        Edit(
            script="distill",
            old="labels = torch.where(chosen, ids, -100)",
            new="labels = torch.where(ids == PAD_ID, -100, ids)",
        ),
        Edit(
            script="logkeys",
            old="labels.append(key if masked else PAD)",
            new="labels.append(key)",
        ),
    ),
)
def CHECK(corruption: Corruption) -> Iterator[Finding]:
    """Part of the input is hidden behind one id, yet all positions are asked for."""
    tokens, counted = corruption.tokens, corruption.counted
    if not tokens or counted < ALL * tokens or corruption.spread > DRAWN:
        return
    hidden = corruption.masked / tokens
    if HIDDEN[0] <= hidden <= HIDDEN[1]:
        yield Finding(
            measured={
                "counted": counted / tokens,
                "hidden": hidden,
                "copied": corruption.kept / counted,
                "mask_id": corruption.mask_id,
            },
            where=corruption.where,
        )


SICK = Example(
    evidence=(Corruption(3, 18460, 18460, 2235, 15985, 240, 0, 0.9, 768),),
    finds=({"counted": 1.0, "mask_id": 3},),
)
HEALTHY = (
    Example(evidence=(Corruption(3, 18460, 2780, 2235, 305, 240, 0, 0.9, 768),)),
    # discrete diffusion: the rate is drawn per row, the loss is over all positions
    Example(evidence=(Corruption(3, 18460, 18460, 9000, 9460, 0, 0, 9.0, 768),)),
)
