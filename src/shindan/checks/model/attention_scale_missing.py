"""Scores of queries and keys reach the softmax without the factor d_head^-0.5.

Exact relation: in every attention the product of all constants between the projections and the
softmax is 1, and the scores themselves show that factor (measured on the replay). Queries and keys
must be of like size: T5 carries the scale in its initial weights instead.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import AttentionScores, InitialWeights, ScoreSite
from shindan.core.example import Example
from shindan.core.finding import Finding, Where
from shindan.core.scaling import MISSING, UNSCALED_BY_DESIGN, agreed, compensated


@check(
    id="model/attention-scale-missing",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("delzac/cntkx#10", "huggingface/transformers#45676"),
    explains=("symptom/slow-progress", "symptom/loss-spikes"),
    fault=(
        Edit(
            script="gpt_plain",
            old="att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))",
            new="att = q @ k.transpose(-2, -1)",
        ),
        Edit(
            script="bert_mlm",
            old="        scores = scores / math.sqrt(self.head_dim)\n",
            new="",
        ),
        Edit(
            script="gpt_mingpt",
            old="F.scaled_dot_product_attention(q, k, v, is_causal=True)",
            new="F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)",
        ),
    ),
)
def CHECK(scores: AttentionScores, start: InitialWeights | None) -> Iterator[Finding]:
    """At most one finding: all attentions of a model are made by the same line.

    With relative positions added to the scores it is minor: T5 does so by design.
    """
    found = agreed(scores.sites)
    if found is None or found[0] != MISSING or (start is not None and start.loaded):
        return
    site = found[1]
    by_design = any(part in (site.file or "") for part in UNSCALED_BY_DESIGN)
    if by_design or any(compensated(s) for s in scores.sites):
        return
    yield Finding(
        measured={
            "scale": site.scale,
            "right": site.d_head**-0.5,
            "d_head": site.d_head,
            "attentions": len(scores.sites),
            "factor": site.d_head**0.5,
        },
        where=Where(site.file, site.line, site.module),
        severity="minor" if any(s.biased for s in scores.sites) else None,
    )


def _scores(
    scale: float = 1.0, q_rms: float = 1.0, plain: bool = True, file: str = "m.py"
) -> AttentionScores:
    site = ScoreSite("h.0", 64, 512, scale, (), q_rms, 1.0, plain, file=file, line=3)
    return AttentionScores((site, site), 2)


SICK = Example(evidence=(_scores(),), finds=({"d_head": 64, "attentions": 2, "factor": 8.0},))
HEALTHY = (
    Example(evidence=(_scores(scale=0.125),)),
    # T5: the query projection starts d^-0.5 times smaller.
    Example(evidence=(_scores(q_rms=0.125),)),
    # QK-norm, cosine attention, learned temperature.
    Example(evidence=(_scores(plain=False),)),
    # GPT-Neo has no scale by design.
    Example(evidence=(_scores(file="transformers/models/gpt_neo/modeling_gpt_neo.py"),)),
    # Ported weights expect what they were trained with.
    Example(evidence=(_scores(), InitialWeights((), loaded="load_state_dict"))),
)
