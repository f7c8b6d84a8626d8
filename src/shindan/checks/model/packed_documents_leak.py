"""Packed documents that the author keeps apart see each other.

Intervention: the first document of each row is changed, the later ones must not move. Exactly 0
behind a block mask. Asked only when the batch carries document ids or restarting positions: plain
packing means no separation.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import BatchProbe, DocumentProbe
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

MOVED = 1e-3


@check(
    id="model/packed-documents-leak",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("huggingface/trl#784", "huggingface/nanoVLM#201", "huggingface/transformers#46634"),
    explains=("symptom/slow-progress",),
    fault=(
        Edit(
            script="packed_docs",
            old="    return same_document & causal\n",
            new="    return causal\n",
        ),
        Edit(
            script="packed_docs",
            old="        mask = block_causal_mask(doc_ids)\n",
            new="        mask = torch.ones(tokens.size(1), tokens.size(1)).tril().bool()\n",
        ),
    ),
)
def CHECK(documents: DocumentProbe, batch: BatchProbe | None) -> Iterator[Finding]:
    """Later documents moved with the first."""
    if documents.own <= 0 or documents.moved <= MOVED * documents.own:
        return
    if batch is not None and batch.moved > MOVED * batch.others:
        return
    yield Finding(
        measured={
            "ratio": documents.moved / documents.own,
            "moved": documents.moved,
            "own": documents.own,
            "documents": documents.documents,
            "signal": documents.signal,
            "name": documents.name,
        },
        where=documents.where,
        variant="" if documents.signal == "document ids" else "positions",
    )


_AT = Where("t.py", 9)
SICK = (
    Example(
        evidence=(DocumentProbe("document ids", "doc_ids", 28, 0.2, 2.0, _AT),),
        finds=({"ratio": 0.1, "documents": 28},),
    ),
    Example(
        evidence=(DocumentProbe("positions", "position_ids", 28, 0.2, 2.0, _AT),),
        finds=({"signal": "positions"},),
    ),
)
HEALTHY = (
    Example(evidence=(DocumentProbe("document ids", "doc_ids", 28, 0.0, 2.0),)),
    # rows mix: model/batch-leak
    Example(
        evidence=(
            DocumentProbe("document ids", "doc_ids", 28, 0.2, 2.0),
            BatchProbe(1.0, 2.0, 1.0, True, 8, 32),
        )
    ),
)
