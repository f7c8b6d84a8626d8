"""A BERT-like encoder whose first attention sees the sum of its embeddings without a norm.

BERT normalises the sum of word, position and segment embeddings; post-LN encoders without segments
(Vaswani, nn.TransformerEncoder) do not, and that is usual. So it is told, as minor, only of masked
LMs that are like BERT (three summed tables, or the name) and only when the sum itself is far from
unit size: RMS below 0.1 (three tables of std 0.02 give 0.035, torch's N(0, 1) 1.7) or above 50
(N(0, 1) times the root of a width of 768 gives 28).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import EmbeddingSum
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

TINY, HUGE = 0.1, 50.0


@check(
    id="model/embedding-layernorm-missing",
    kind="risk",
    severity="minor",
    grounds="threshold",
    refs=("bigscience-workshop/Megatron-DeepSpeed#191", "huggingface/transformers#11046"),
    explains=("symptom/slow-progress", "symptom/loss-spikes"),
    fault=(
        Edit(
            script="bert_mlm",
            old="x = self.dropout(self.embedding_norm(x))",
            new="x = self.dropout(x)",
        ),
    ),
)
def CHECK(embedding: EmbeddingSum) -> Iterator[Finding]:
    """At most one finding."""
    size = embedding.unnormalised
    like_bert = embedding.tables >= 3 or "bert" in embedding.model.lower()
    if size is None or not like_bert or not embedding.same_position:
        return
    if TINY <= size <= HUGE or size != size:
        return
    yield Finding(
        measured={"rms": size, "tables": embedding.tables, "model": embedding.model},
        where=Where(embedding.file, embedding.line, embedding.consumer),
    )


def _sum(rms: float | None, model: str = "BertForMLM", masked: bool = True) -> EmbeddingSum:
    return EmbeddingSum((), rms, 3, model, masked, "m.py", 9, "layers.0.attention.query")


SICK = Example(evidence=(_sum(0.035),), finds=({"tables": 3, "model": "BertForMLM"},))
HEALTHY = (
    Example(evidence=(_sum(None),)),
    # Of unit size without a norm.
    Example(evidence=(_sum(1.7),)),
    # A run that is NaN from the start.
    Example(evidence=(_sum(float("nan")),)),
    # A causal post-LN model.
    Example(evidence=(_sum(0.035, "GPT", masked=False),)),
    # Vaswani's encoder: tokens and positions, no norm.
    Example(evidence=(EmbeddingSum((), 0.05, 2, "TransformerModel", True, consumer="layers.0"),)),
)
