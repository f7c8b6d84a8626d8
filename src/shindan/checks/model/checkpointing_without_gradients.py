"""Reentrant gradient checkpointing of a part whose input needs no gradient: it never learns."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.checkpointing import Recomputed
from shindan.core.evidence.parameters import ParamLedger, ParamRow
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="model/checkpointing-without-gradients",
    kind="cause",
    severity="critical",
    grounds="ledger",
    refs=("transformers#26221", "transformers#42489", "microsoft/LoRA#120", "open-unlearning#178"),
    explains=("symptom/loss-flat", "symptom/slow-progress", "symptom/context-ignored"),
    subsumes=("model/graph-cut", "optimizer/lr-too-low"),
    fault=(
        Edit(
            script="gpt_plain",
            old="        for block in self.h:\n            x = block(x)\n",
            new="        x = x.detach()  # embeddings are frozen\n"
            "        for block in self.h:\n"
            "            x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=True)\n",
        ),
    ),
)
def CHECK(calls: Recomputed, ledger: ParamLedger) -> Iterator[Finding]:
    """Such calls, and trainable parameters in an optimizer that never got a gradient.

    A frozen part under checkpointing (a vision tower) has no such parameters.
    """
    dead = [r for r in ledger.rows if r.requires_grad and r.owned and r.grad == "none"]
    if calls.cut and dead:
        yield Finding(
            {
                "count": len(dead),
                "names": tuple(r.name for r in dead[:4]),
                "elements": sum(r.elements for r in dead),
                "cut": calls.cut,
                "calls": calls.calls,
            },
            Where(calls.where.file, calls.where.line, dead[0].name.rpartition(".")[0] or None),
        )


def _ledger(grad: str, requires_grad: bool = True) -> ParamLedger:
    row = ParamRow("h.0.w", "GPT", "Linear", (4, 4), "float32", requires_grad, True, grad=grad)
    return ParamLedger((row,), (), 6, 40)


SICK = Example(
    evidence=(Recomputed(80, 80), _ledger("none")),
    finds=({"count": 1, "elements": 16, "cut": 80},),
)
HEALTHY = (
    Example(evidence=(Recomputed(80, 0), _ledger("nonzero"))),
    # something else than checkpointing leaves it without a gradient
    Example(evidence=(Recomputed(80, 0), _ledger("none"))),
    # a frozen part
    Example(evidence=(Recomputed(80, 80), _ledger("none", requires_grad=False))),
)
