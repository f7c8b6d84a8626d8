"""Parameters that the optimizer holds, no call takes, and no logit depends on.

Intervention: changing them moves nothing, exactly. A library's own (an unused pooler) are its
design, experts and adapters are used for some inputs only; a position table without effect is
model/positions-unused.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.gradient_paths import GradientPaths, Ungraded
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="model/unused-parameters",
    kind="risk",
    severity="minor",
    grounds="intervention",
    refs=("agentdr1/LA_MIL#3", "yifita/deep_cage#16"),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="return x + self.mlp(self.mlp_norm(x))",
            new="return x + self.mlp(x)",
        ),
        Edit(
            script="bert_mlm",
            old="        x = self.transform_norm(F.gelu(self.transform(x)))",
            new="        x = F.gelu(self.transform(x))",
        ),
    ),
)
def CHECK(paths: GradientPaths) -> Iterator[Finding]:
    """One finding for all of them."""
    dead = [
        p
        for p in paths.parameters
        if not p.used and p.effect == 0 and not (p.library or p.expert or p.position_table)
    ]
    if dead:
        yield Finding(
            measured={
                "count": len(dead),
                "names": tuple(p.name for p in dead[:4]),
                "elements": sum(p.elements for p in dead),
                "steps": paths.steps,
            },
            where=Where(module=dead[0].name.rpartition(".")[0] or None),
        )


_NORM = Ungraded("h.0.norm.weight", "h.0", False, 64, 0.0, False)
SICK = Example(
    evidence=(GradientPaths(60, 20, (_NORM,)),),
    finds=({"count": 1, "names": ("h.0.norm.weight",), "elements": 64},),
)
HEALTHY = (
    Example(evidence=(GradientPaths(60, 20, ()),)),
    # a library's pooler; an expert; something that runs beside the logits
    Example(evidence=(GradientPaths(60, 20, (Ungraded("pooler.w", "", True, 9, 0.0, False),)),)),
    Example(
        evidence=(
            GradientPaths(
                60, 20, (Ungraded("experts.1.w", "", False, 9, 0.0, False, expert=True),)
            ),
        )
    ),
    Example(evidence=(GradientPaths(60, 20, (Ungraded("head2.w", "", False, 9, 0.0, True),)),)),
)
