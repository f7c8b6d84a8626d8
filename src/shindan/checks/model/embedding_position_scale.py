"""Positions drown the tokens: the model does not see what it reads.

Both signals are measured where they are added, as RMS around their means, and the tokens' part is
below a fifth at the first look and still at the last one. That alone convicts nobody (embeddings
may grow, a norm may follow): at the last look every token of the batch is replaced by another one
and the predictions hardly move (mean KL below 0.02 nats). Measured on two-sided variants of the
patients: models that ignore their tokens show 0.000 (ratios 0.015 to 0.16), models that overcame
the same start show 0.3 and more.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import EmbeddingPoint, EmbeddingSum
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

DROWNED = 0.2
IGNORED = 0.02
"""Nats."""
LATE = 40
"""Updates after which tokens should count."""


@check(
    id="model/embedding-position-scale",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("karpathy/llm.c#832", "jadore801120/attention-is-all-you-need-pytorch#138"),
    explains=(
        "symptom/at-unigram-line",
        "symptom/context-ignored",
        "symptom/loss-flat",
        "symptom/slow-progress",
    ),
    fault=(
        Edit(
            script="gpt_plain",
            old="self.wte(idx) + self.wpe(pos)",
            new="self.wte(idx) + 20 * self.wpe(pos)",
        ),
        Edit(
            script="seqfirst_lm",
            old="x = self.input_emb(src) * math.sqrt(EMSIZE)",
            new="x = self.input_emb(src)",
        ),
    ),
)
def CHECK(embedding: EmbeddingSum) -> Iterator[Finding]:
    """At most one finding."""
    if len(embedding.points) < 2:
        return
    first, last = embedding.points[0], embedding.points[-1]
    drowned = all(p.token < DROWNED * p.position for p in (first, last))
    if drowned and last.update >= LATE and last.heeded is not None and last.heeded < IGNORED:
        yield Finding(
            measured={
                "token": last.token,
                "position": last.position,
                "first_ratio": first.position / first.token if first.token else float("inf"),
                "ratio": last.position / last.token if last.token else float("inf"),
                "heeded": last.heeded,
                "update": last.update,
            },
            where=Where(embedding.file, embedding.line),
        )


def _sum(*points: tuple[int, float, float, float | None]) -> EmbeddingSum:
    return EmbeddingSum(tuple(EmbeddingPoint(*p) for p in points), None, 0, "GPT")


SICK = Example(
    evidence=(_sum((2, 0.02, 0.4, 0.0), (120, 0.02, 0.4, 0.0)),), finds=({"update": 120},)
)
HEALTHY = (
    Example(evidence=(_sum((2, 0.02, 0.02, None), (120, 0.09, 0.02, None)),)),
    # Sinusoids beside small embeddings that grow.
    Example(evidence=(_sum((2, 0.02, 0.35, 0.0), (300, 0.2, 0.35, None)),)),
    # Still small, but the head hears them (scaled on the output side, a norm behind).
    Example(evidence=(_sum((2, 0.02, 0.35, 0.0), (120, 0.05, 0.35, 0.7)),)),
    # Too early to say.
    Example(evidence=(_sum((2, 0.02, 0.35, 0.0), (20, 0.02, 0.35, 0.0)),)),
)
