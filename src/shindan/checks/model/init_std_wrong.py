"""Initial weights far too large for the head, or too small for anything to learn.

Too large: logits that are Gaussian with std s and know nothing of the label cost s^2/2 nats more
than the uniform guess ln V. Healthy heads start at s < 1 (GPT-2's 0.02 at width 768: s = 0.55, cost
0.15; torch's own Linear: s = 0.58, cost 0.17; uniform(-0.1, 0.1) at width 512: s = 1.3, cost 0.85);
more than 1.2 nats (s > 1.55) is told as minor, more than 2 nats (s = 2) as major, and only when the
measured spread explains it. Too small: with gain = std sqrt(fan_in) below 0.01 in four of five
matrices each layer passes on a hundredth of what it gets; 0.02 gives 0.16 at width 64, GPT-2's
scaled residual weights 0.03 there. Zero matrices (zero-init heads and residual branches) do not
count.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import InitialWeight, InitialWeights, LossInputs, LossSite
from shindan.core.example import Example
from shindan.core.finding import Finding

MINOR, MAJOR = 1.2, 2.0
"""Nats above ln V."""
WIDE = 1.5
"""Spread of the logits; T5's start has 1.2 (and costs 1.2 nats, because its tied head echoes)."""
FAINT = 0.01
FAINT_SHARE = 0.8
FEWEST = 4
PROJECTIONS = ("Linear", "NonDynamicallyQuantizableLinear", "Conv1D", "MultiheadAttention")


@check(
    id="model/init-std-wrong",
    kind="cause",
    severity="major",
    grounds="threshold",
    refs=("stanford-crfm/mistral#30", "karpathy/llm.c#832"),
    explains=("symptom/loss-flat", "symptom/slow-progress"),
    fault=(
        Edit(
            script="gpt_plain",
            old="            nn.init.normal_(module.weight, mean=0.0, std=0.02)\n",
            new="            nn.init.normal_(module.weight, mean=0.0, std=1.0)\n",
        ),
        Edit(
            script="gpt_mingpt",
            old="nn.init.normal_(module.weight, std=0.02)",
            new="nn.init.normal_(module.weight, std=0.0005)",
        ),
        Edit(
            script="bert_mlm",
            old="                nn.init.normal_(module.weight, std=0.02)\n",
            new="                nn.init.normal_(module.weight)\n",
        ),
    ),
)
def CHECK(weights: InitialWeights, losses: LossInputs | None) -> Iterator[Finding]:
    """The head's cost at the start, then the gain of the matrices."""
    if weights.loaded:
        return
    first = [s for s in losses.sites if s.first_update == 0] if losses is not None else []
    for site in first:
        if site.first_loss is None or site.first_std is None or site.probabilities:
            continue
        excess = site.first_loss - math.log(site.classes)
        if excess > MINOR and site.first_std > WIDE and site.first_std**2 / 2 > excess / 4:
            yield Finding(
                measured={
                    "loss": site.first_loss,
                    "uniform": math.log(site.classes),
                    "std": site.first_std,
                    "classes": site.classes,
                },
                severity="minor" if excess < MAJOR else None,
            )
            return
    yield from _faint(weights)


def _faint(weights: InitialWeights) -> Iterator[Finding]:
    matrices = [w for w in weights.weights if w.kind in PROJECTIONS and w.std > 0]
    faint = [w for w in matrices if w.gain < FAINT]
    if len(faint) >= FEWEST and len(faint) >= FAINT_SHARE * len(matrices):
        middle = sorted(faint, key=lambda w: w.gain)[len(faint) // 2]
        yield Finding(
            measured={
                "std": middle.std,
                "gain": middle.gain,
                "faint": len(faint),
                "matrices": len(matrices),
            },
            variant="small",
        )


def _start(loss: float, std: float) -> LossInputs:
    return LossInputs((LossSite("cross_entropy", 38, 5, 0, "t.py", 3, loss, std),))


def _weights(std: float, loaded: str = "", zeros: int = 0) -> InitialWeights:
    made = [
        InitialWeight(f"h.{i}", "Linear", (64, 64), s, s * 8)
        for i, s in enumerate([std] * 8 + [0.0] * zeros)
    ]
    return InitialWeights(tuple(made), loaded)


SICK = (
    Example(evidence=(_weights(1.0), _start(42.5, 8.0)), finds=({"loss": 42.5, "classes": 38},)),
    Example(evidence=(_weights(0.2), _start(4.9, 1.6)), finds=({"std": 1.6},)),
    Example(evidence=(_weights(0.0005), _start(3.64, 0.004)), finds=({"faint": 8},)),
)
HEALTHY = (
    Example(evidence=(_weights(0.02), _start(3.66, 0.16))),
    Example(evidence=(_weights(0.06), _start(4.49, 1.3))),
    Example(evidence=(_weights(0.02, zeros=12), _start(3.64, 0.0))),
    Example(evidence=(_weights(0.0005, loaded="pretrained gpt2"), _start(9.0, 3.0))),
    # T5 at its start.
    Example(evidence=(_weights(0.1), _start(4.85, 1.21))),
    # A high loss that the spread of the logits does not explain is something else.
    Example(evidence=(_weights(0.02), _start(9.0, 0.9))),
)
