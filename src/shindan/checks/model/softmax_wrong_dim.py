"""The attention weights that are summed do not sum to 1, those along another axis do.

Exact relation: a softmax sums to 1 along the axis it was taken along, which must be the axis that
the product with the values sums over.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import AttentionAudit, WrongAxis
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="model/softmax-wrong-dim",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=(
        "PetrochukM/PyTorch-NLP#2",
        "fastNLP#254",
        "annotated_deep_learning_paper_implementations#146",
    ),
    explains=(
        "symptom/slow-progress",
        "symptom/below-entropy-floor",
        "symptom/context-ignored",
        "symptom/loss-flat",
    ),
    subsumes=(
        "model/future-leak",
        "model/batch-leak",
        "model/attention-mask-ignored",
        "model/attention-mask-inverted",
        "model/packed-documents-leak",
        "model/left-padding-positions",
        "optimizer/lr-too-low",
    ),
    fault=(
        Edit(
            script="gpt_plain",
            old="att = F.softmax(att, dim=-1)",
            new="att = F.softmax(att, dim=2)",
        ),
        Edit(
            script="bert_mlm",
            old="probs = self.dropout(scores.softmax(dim=-1))",
            new="probs = self.dropout(scores.softmax(dim=-2))",
        ),
        Edit(
            script="custom_loss",
            old="weights = torch.softmax(scores, dim=-1)",
            new="weights = torch.softmax(scores, dim=2)",
        ),
    ),
)
def CHECK(audit: AttentionAudit) -> Iterator[Finding]:
    """One finding per softmax."""
    for wrong in audit.wrong_axis:
        yield Finding(
            measured={
                "shape": str(wrong.shape),
                "taken": wrong.taken,
                "used": wrong.used,
                "error": wrong.error,
            },
            where=wrong.where,
        )


SICK = Example(
    evidence=(
        AttentionAudit(32, 8, (), (WrongAxis(Where("t.py", 9), (8, 4, 32, 32), -2, -1, 0.7),)),
    ),
    finds=({"taken": -2, "used": -1, "error": 0.7},),
)
HEALTHY = Example(evidence=(AttentionAudit(32, 8, ()),))
