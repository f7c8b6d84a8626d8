"""Probabilities are given to a loss that takes the softmax itself, or the logarithm for granted.

Exact relation: every row lies in [0, 1] and sums to 1, in all sampled calls. With such inputs the
logits span at most 1, so cross-entropy cannot fall below ln(e + V - 1) - 1 (all mass on the truth).
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import LossInputs, LossSite
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="model/softmax-before-cross-entropy",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=(
        "ariecattan/SciCo#2",
        "tflearn/tflearn#562",
        "jindongwang/Deep-learning-activity-recognition#10",
    ),
    explains=("symptom/loss-flat", "symptom/at-uniform-line", "symptom/slow-progress"),
    subsumes=("optimizer/lr-too-low",),
    fault=(
        Edit(
            script="gpt_plain",
            old="        logits = self.lm_head(x)  # (B, T, V)",
            new="        logits = self.lm_head(x).softmax(dim=-1)  # (B, T, V)",
        ),
        Edit(
            script="bert_mlm",
            old="        return self.decoder(x)  # (B, T, V)",
            new="        return F.softmax(self.decoder(x), dim=-1)  # (B, T, V)",
        ),
        Edit(
            script="seqfirst_lm",
            old="return F.log_softmax(self.decoder(output), dim=-1)",
            new="return F.softmax(self.decoder(output), dim=-1)",
        ),
    ),
)
def CHECK(inputs: LossInputs) -> Iterator[Finding]:
    """One finding per loss that was always given probabilities."""
    for site in inputs.sites:
        if site.calls and site.probabilities == site.calls and site.classes > 1:
            v = site.classes
            yield Finding(
                measured={
                    "loss": site.kind,
                    "calls": site.calls,
                    "classes": v,
                    "floor": math.log(math.e + v - 1) - 1,
                    "uniform": math.log(v),
                },
                where=Where(site.file, site.line),
                variant="nll" if site.kind == "nll_loss" else "",
            )


SICK = (
    Example(
        evidence=(LossInputs((LossSite("cross_entropy", 38, 5, 5, "t.py", 9),)),),
        finds=({"classes": 38, "calls": 5},),
    ),
    Example(
        evidence=(LossInputs((LossSite("nll_loss", 38, 5, 5, "t.py", 9),)),),
        finds=({"loss": "nll_loss"},),
    ),
)
HEALTHY = (
    Example(evidence=(LossInputs((LossSite("cross_entropy", 38, 5, 0),)),)),
    Example(evidence=(LossInputs((LossSite("nll_loss", 38, 5, 0),)),)),
)
