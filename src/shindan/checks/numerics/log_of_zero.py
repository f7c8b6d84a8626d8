"""The logarithm of zero, in the forward or only in its gradient.

An exact relation: an operation in the chain that led to the first non-finite number is a
logarithm (or the gradient of one), and its argument holds zeros.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import Finding

LOGARITHMS = ("log", "log2", "log10")


@check(
    id="numerics/log-of-zero",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("pytorch#36493",),
    explains=("symptom/nan",),
    fault=(
        Edit(
            script="custom_loss",
            old="        weights = torch.softmax(scores, dim=-1)",
            new="        weights = torch.exp(1.1 * torch.log(torch.softmax(scores, dim=-1)))",
        ),
        Edit(
            script="custom_loss",
            old="    log_probs = torch.log_softmax(logits, dim=-1)",
            new="    log_probs = torch.log(torch.softmax(logits / 0.001, dim=-1))",
        ),
    ),
)
def CHECK(first: FirstNonFinite) -> Iterator[Finding]:
    """A logarithm in the chain had zeros to work on."""
    for operation in first.operations(*LOGARITHMS):
        zeros = max((o.zeros for o in operation.operands[-1:]), default=0)
        if zeros and first.event is not None:
            yield Finding(
                measured={
                    "zeros": zeros,
                    "of": operation.operands[-1].size,
                    "update": first.event.update,
                    "operation": operation.name,
                },
                where=operation.where,
                severity=first.event.severity,
                variant="" if operation.phase == "forward" else "backward",
            )
            return


def _log(zeros: int, phase: str = "forward") -> FirstNonFinite:
    argument = Operand((4, 8), "float32", 0.0 if zeros else -0.5, 1.0, 32, zeros=zeros)
    forward = Operation("log", "forward", (argument,), None, "train.py", 88)
    backward = Operation("log", "backward", (argument, argument), None, "train.py", 88)
    return FirstNonFinite(Event(3, 3, "loss", (forward if phase == "forward" else backward,)))


SICK = (
    Example(
        evidence=(_log(5),),
        finds=({"zeros": 5, "of": 32, "update": 3, "operation": "log"},),
    ),
    Example(evidence=(_log(2, "backward"),), finds=({"zeros": 2},)),
)
HEALTHY = (
    Example(evidence=(FirstNonFinite(),)),
    # the logarithm of a negative number is another matter: symptom/nan names it
    Example(evidence=(_log(0),)),
)
