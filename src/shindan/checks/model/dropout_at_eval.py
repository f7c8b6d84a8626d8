"""Two calls in eval mode differ, and a dropout was seen to act.

Intervention: only the random numbers differ. Exactly 0 when dropout is off. Other randomness (masks
drawn inside the model, sampling) is not this fault: a dropout call with p > 0 must act.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import DeterminismProbe, RandomCall
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

MOVED = 1e-4


@check(
    id="model/dropout-at-eval",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("karpathy/nanoGPT#240", "ipolharvard/ethos-ares#20"),
    fault=(
        Edit(
            script="resume",
            old="p = self.dropout if self.training else 0.0",
            new="p = self.dropout",
        ),
        Edit(
            script="left_padded",
            old="return x + self.dropout(self.fc2(F.gelu(self.fc1(self.ln2(x)))))",
            new="return x + F.dropout(self.fc2(F.gelu(self.fc1(self.ln2(x)))), 0.1)",
        ),
        Edit(
            script="logkeys",
            old="        x = self.norm(x)\n        return",
            new="        x = nn.functional.dropout(self.norm(x), p=0.1)\n        return",
        ),
    ),
)
def CHECK(determinism: DeterminismProbe) -> Iterator[Finding]:
    """The dropouts that act without being meant to."""
    calls = [c for c in determinism.calls if not c.deliberate]
    if not calls or determinism.moved <= MOVED * determinism.spread:
        return
    yield Finding(
        measured={
            "ratio": determinism.moved / determinism.spread if determinism.spread else 1.0,
            "calls": len(calls),
            "p": calls[0].p,
            "kind": calls[0].kind,
        },
        where=calls[0].where,
        variant="attention" if calls[0].kind == "scaled_dot_product_attention" else "",
    )


_AT = Where("t.py", 9)
SICK = (
    Example(
        evidence=(DeterminismProbe(0.5, 1.0, (RandomCall("dropout", 0.1, _AT),)),),
        finds=({"ratio": 0.5, "p": 0.1},),
    ),
    Example(
        evidence=(
            DeterminismProbe(0.5, 1.0, (RandomCall("scaled_dot_product_attention", 0.1, _AT),)),
        ),
        finds=({"kind": "scaled_dot_product_attention"},),
    ),
)
HEALTHY = (
    Example(evidence=(DeterminismProbe(0.0, 1.0),)),
    # Monte Carlo dropout, said so
    Example(evidence=(DeterminismProbe(0.5, 1.0, (RandomCall("dropout", 0.1, _AT, True),)),)),
)
