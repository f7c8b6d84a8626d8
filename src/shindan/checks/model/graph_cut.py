"""Trained parameters that matter for the logits and never get a gradient.

Intervention: they are changed, the logits of real tokens move (by more than EFFECT of their spread;
a change as large as the parameter itself moves them by 0.01 and more); ``grad`` was None at every
update. Teachers and targets inside the model do not move the logits, frozen parameters are not
trained, and experts that no token has reached are left out by their names.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.gradient_paths import GradientPaths, Ungraded
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

EFFECT = 1e-3


@check(
    id="model/graph-cut",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("queenie88/A-GCN#4", "yifita/deep_cage#16", "yzhao062/pyod#711"),
    explains=("symptom/loss-flat", "symptom/slow-progress"),
    subsumes=("optimizer/lr-too-low",),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="        x = self.embed(idx)  # (B, T, D)",
            new="        x = self.embed(idx).detach()  # (B, T, D)",
        ),
        Edit(
            script="accumulate_amp",
            old="        return x + self.ffn(self.norm2(x))",
            new="        return x + self.ffn(self.norm2(x)).data",
        ),
        Edit(
            script="packed_docs",
            old="        x = x + self.attention(self.attention_norm(x), mask)",
            new="        with torch.no_grad():\n"
            "            attended = self.attention(self.attention_norm(x), mask)\n"
            "        x = x + attended",
        ),
    ),
)
def CHECK(paths: GradientPaths) -> Iterator[Finding]:
    """One finding: the first parameter, how many, and the line if it was found."""
    cut = [p for p in paths.parameters if p.effect > EFFECT and p.used and not p.expert]
    if not cut:
        return
    yield Finding(
        measured={
            "count": len(cut),
            "first": cut[0].name,
            "effect": max(p.effect for p in cut),
            "steps": paths.steps,
            "trained": paths.trained,
            "how": paths.how or "?",
        },
        where=Where(paths.cut.file, paths.cut.line, cut[0].owner or None),
        variant="" if paths.how else "unknown",
    )


_W = Ungraded("embed.weight", "", False, 1000, 0.4, True)
SICK = (
    Example(
        evidence=(GradientPaths(60, 20, (_W,), Where("t.py", 9), "detach"),),
        finds=({"count": 1, "first": "embed.weight", "how": "detach"},),
    ),
    Example(evidence=(GradientPaths(60, 20, (_W,)),), finds=({"how": "?"},)),
)
HEALTHY = (
    Example(evidence=(GradientPaths(60, 20, ()),)),
    # a teacher inside the model: runs, and does not move the student's logits
    Example(evidence=(GradientPaths(60, 20, (Ungraded("teacher.w", "", False, 9, 0.0, True),)),)),
    # an expert that no token reached in this run
    Example(
        evidence=(
            GradientPaths(60, 20, (Ungraded("experts.3.w", "", False, 9, 0.1, True, expert=True),)),
        )
    ),
)
