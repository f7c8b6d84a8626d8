"""Scores are scaled, but by the wrong relation of the dimensions.

Exact relation, within 1e-3: the product of all constants between the projections and the softmax,
seen in the scores themselves, equals d_model^-0.5, d_head^+0.5, d_model^+0.5, d_head^-0.25 or
d_head^-0.5 applied twice, in every attention. A single 1/d_head is what muP uses: minor, and silent
where anything in the run speaks of muP. Any other constant is the author's own and is not judged.
"""

from collections.abc import Iterator
from dataclasses import replace

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import AttentionScores, InitialWeights, ScoreSite
from shindan.core.example import Example
from shindan.core.finding import Finding, Where
from shindan.core.scaling import MISSING, RIGHT, agreed, same


@check(
    id="model/attention-scale-wrong",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=(
        "lucidrains/vit-pytorch#65",
        "aladdinpersson/Machine-Learning-Collection#65",
        "krasserm/perceiver-io#9",
        "huggingface/transformers#22444",
    ),
    explains=("symptom/slow-progress",),
    fault=(
        Edit(
            script="gpt_plain",
            old="* (1.0 / math.sqrt(k.size(-1)))",
            new="* (1.0 / math.sqrt(C))",
        ),
        Edit(
            script="bert_mlm",
            old="scores = scores / math.sqrt(self.head_dim)",
            new="scores = scores * math.sqrt(self.head_dim)",
        ),
        Edit(
            script="gpt_mingpt",
            old="F.scaled_dot_product_attention(q, k, v, is_causal=True)",
            new="F.scaled_dot_product_attention(q / q.size(-1) ** 0.5, k, v, is_causal=True)",
        ),
    ),
)
def CHECK(scores: AttentionScores, start: InitialWeights | None) -> Iterator[Finding]:
    """At most one finding: all attentions of a model are made by the same line."""
    found = agreed(scores.sites)
    if found is None or found[0] in (RIGHT, MISSING) or (start is not None and start.loaded):
        return
    kind, site = found
    if any(same(site.scale, v) or same(site.scale, v**-0.5) for v in scores.configured if v > 0):
        return
    linear = kind.name == "linear"
    if linear and scores.mup:
        return
    yield Finding(
        measured={
            "scale": site.scale,
            "right": site.d_head**-0.5,
            "relation": kind.formula,
            "d_head": site.d_head,
            "d_model": site.d_model,
            "attentions": len(scores.sites),
        },
        where=Where(site.file, site.line, site.module),
        severity="minor" if linear else None,
        variant=kind.name if kind.name in ("twice", "linear") else "",
    )


def _scores(scale: float, *factors: float, mup: bool = False) -> AttentionScores:
    site = ScoreSite("h.0", 16, 64, scale, factors or (scale,), 1.0, 1.0, True, file="m.py", line=3)
    return AttentionScores((site, site), 2, mup)


SICK = (
    Example(evidence=(_scores(0.125),), finds=({"relation": "d_model^-0.5", "right": 0.25},)),
    Example(evidence=(_scores(4.0),), finds=({"relation": "d_head^0.5"},)),
    Example(evidence=(_scores(1 / 16, 0.25, 0.25),), finds=({"relation": "d_head^-0.5 twice"},)),
    Example(evidence=(_scores(1 / 16),), finds=({"relation": "1/d_head"},)),
)
HEALTHY = (
    Example(evidence=(_scores(0.25),)),
    # d^-0.25 on both sides.
    Example(evidence=(_scores(0.25, 0.5, 0.5),)),
    Example(evidence=(_scores(1 / 16, mup=True),)),
    # A constant of the author's own.
    Example(evidence=(_scores(0.09),)),
    # Gemma's query_pre_attn_scalar may happen to be the width.
    Example(evidence=(replace(_scores(0.125), configured=(64.0,)),)),
    Example(evidence=(_scores(0.125), InitialWeights((), loaded="load_state_dict"))),
)
