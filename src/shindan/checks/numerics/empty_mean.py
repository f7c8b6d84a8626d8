"""A mean over nothing: 0/0.

An exact relation: the first non-finite number is a cross-entropy without any counted label, a
mean over no elements, or a division 0 by a count (whole numbers that no parameter moves) of 0.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import Finding

LOSSES = ("nll_loss", "nll_loss2d", "nll_loss_forward", "nll_loss2d_forward")


@check(
    id="numerics/empty-mean",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("pytorch#116349", "pytorch#75181", "OpenRLHF#583", "torchtune#2341"),
    explains=("symptom/nan",),
    fault=(
        Edit(
            script="custom_loss",
            old="    return (nll * mask).sum() / mask.sum().clamp(min=1)",
            new="    hard = mask * (nll.detach() > 6.0)  # only hard tokens teach\n"
            "    return (nll * hard).sum() / hard.sum()",
        ),
        Edit(script="bert_mlm", old="p=0.15", new="p=0.003"),
    ),
)
def CHECK(first: FirstNonFinite) -> Iterator[Finding]:
    """The operation at the head of the chain averaged nothing."""
    event = first.event
    if event is None or not event.chain:
        return
    operation = event.chain[0]
    if operation.phase == "backward" or not _empty(operation):
        return
    yield Finding(
        measured={
            "operation": operation.name,
            "update": event.update,
            "batches": max(event.batches, 1),
            "of": max(event.of, 1),
        },
        where=operation.where,
        severity=event.severity,
        variant="harmless" if event.harm == "none" else "",
    )


def _empty(operation: Operation) -> bool:
    if operation.name in LOSSES:
        return operation.born
    if not operation.operands:
        return False
    divisor = operation.operands[-1]
    if operation.name == "mean":
        return divisor.size == 0
    whole = divisor.integral and not divisor.graph
    return operation.name == "div" and whole and divisor.zeros > 0 and _zero_over(operation)


def _zero_over(operation: Operation) -> bool:
    """The dividend is 0 there too (not kept by the live graph: then its NaN says so)."""
    return len(operation.operands) < 2 or operation.operands[0].zeros > 0


def _div(divisor: Operand) -> FirstNonFinite:
    made = Operation("div", "forward", (divisor,), None, "train.py", 115)
    return FirstNonFinite(Event(0, 0, "loss", (made,), harm="weights", batches=1, of=40))


_COUNT = Operand((), "float32", 0.0, 0.0, 1, zeros=1, integral=True, graph=False)
_NLL = Operation("nll_loss", "forward", (_COUNT,), None, "train.py", 70)
SICK = (
    Example(evidence=(_div(_COUNT),), finds=({"operation": "div", "batches": 1, "of": 40},)),
    Example(
        evidence=(FirstNonFinite(Event(7, 7, "loss", (_NLL,), harm="none", batches=1, of=40)),),
        finds=({"operation": "nll_loss", "update": 7},),
    ),
)
HEALTHY = (
    Example(evidence=(FirstNonFinite(),)),
    # a norm of zero is no count: it depends on parameters
    Example(
        evidence=(_div(Operand((), "float32", 0.0, 0.0, 1, zeros=1, integral=True)),),
    ),
)
