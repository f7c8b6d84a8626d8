"""The labels are the masked input itself."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import Objective
from shindan.core.example import Example
from shindan.core.finding import Finding

ENOUGH = 100
"""Counted labels below this decide nothing."""


@check(
    id="data/labels-alias-masked-input",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=(
        "princeton-nlp/SimCSE#121",
        "ServiceNow/Fast-LLM#253",
        "huggingface/transformers#243",
    ),
    explains=("symptom/below-entropy-floor",),
    fault=(
        Edit(
            script="bert_mlm",
            old="    ids = torch.where(chosen & (dice < 0.8), MASK, ids)\n",
            new="    ids[chosen & (dice < 0.8)] = MASK\n    labels[chosen] = ids[chosen]\n",
        ),
        Edit(
            script="logkeys",
            old="            labels.append(key if masked else PAD)\n",
            new="            labels.append(inputs[-1] if masked else PAD)\n",
        ),
    ),
)
def CHECK(objective: Objective) -> Iterator[Finding]:
    """The mask's id is a label, and exactly where the input holds it.

    Most labels are so, or the run names that id its mask and all labels equal their inputs.
    """
    if objective.relation not in ("copied", "other") or objective.alias_id is None:
        return
    if objective.counted >= ENOUGH and (objective.reach is None or objective.reach > 0):
        yield Finding(
            measured={
                "mask_id": objective.alias_id,
                "share": objective.alias_share,
                "counted": objective.counted,
            },
            where=objective.where,
        )


SICK = Example(
    evidence=(Objective("copied", 0, 2, (), 20764, 2780, 3, 0.8),),
    finds=({"mask_id": 3, "share": 0.8},),
)
HEALTHY = (
    # a tagger: no label is an input
    Example(evidence=(Objective("other", None, 2, (), 20764, 20764),)),
    Example(evidence=(Objective("masked", 0, 2, (), 20764, 2780),)),
    # an auto-encoder without any mask
    Example(evidence=(Objective("copied", 0, 2, (), 20764, 20764),)),
)
