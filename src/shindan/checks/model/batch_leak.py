"""A row's logits move when only the other rows of the batch are changed.

Intervention; exactly 0 (float noise below 1e-5) when rows are independent. Nearly all positions of
the row must move: a mixture of experts whose places are contended for moves a few. The data itself
must show which axis is time, since the (T, B) layout is read along the other one.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import AttentionCall, BatchProbe
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

MOVED = 1e-3
ALL = 0.9


@check(
    id="model/batch-leak",
    kind="cause",
    severity="critical",
    grounds="intervention",
    refs=("IBM/TabFormer#14", "aipixel/AEMatter#3"),
    explains=(
        "symptom/context-ignored",
        "symptom/at-unigram-line",
        "symptom/slow-progress",
        "symptom/overfit",
    ),
    subsumes=(
        "model/future-leak",
        "model/attention-mask-ignored",
        "model/packed-documents-leak",
        "model/left-padding-positions",
    ),
    fault=Edit(
        script="seqfirst_lm",
        old="    data = source[i : i + BPTT]  # (T, B)\n"
        "    target = source[i + 1 : i + 1 + BPTT].reshape(-1)  # (T * B)",
        new="    data = source[i : i + BPTT].t().contiguous()\n"
        "    target = source[i + 1 : i + 1 + BPTT].t().reshape(-1)",
    ),
)
def CHECK(batch: BatchProbe) -> Iterator[Finding]:
    """The last row moved with its mates."""
    if not batch.certain or batch.others <= 0 or batch.moved <= MOVED * batch.others:
        return
    if batch.share < ALL:
        return
    call = batch.attention
    yield Finding(
        measured={
            "moved": batch.moved,
            "others": batch.others,
            "ratio": batch.moved / batch.others,
            "rows": batch.rows,
            "length": batch.length,
            "module": batch.module or "?",
        },
        where=call.where if call else Where(module=batch.module),
        variant="" if call else "elsewhere",
    )


_CALL = AttentionCall("MultiheadAttention", Where("t.py", 9), 8)
SICK = (
    Example(evidence=(BatchProbe(1.5, 3.0, 1.0, True, 8, 32, _CALL),), finds=({"ratio": 0.5},)),
    Example(
        evidence=(BatchProbe(1.5, 3.0, 1.0, True, 8, 32, None, "lstm"),),
        finds=({"module": "lstm"},),
    ),
)
HEALTHY = (
    Example(evidence=(BatchProbe(0.0, 3.0, 0.0, True, 8, 32),)),
    # (T, B) pipelines: the data does not show which axis is time
    Example(evidence=(BatchProbe(1.5, 3.0, 1.0, False, 8, 32, _CALL),)),
    # experts with limited places move a few tokens
    Example(evidence=(BatchProbe(0.1, 3.0, 0.2, True, 8, 32),)),
)
