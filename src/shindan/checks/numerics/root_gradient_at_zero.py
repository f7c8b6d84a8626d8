"""The gradient of a root at zero: 1/(2 sqrt 0).

An exact relation: the chain to the first non-finite number holds the backward of a root (sqrt,
or a power below 1), and what it divides by holds zeros.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import Finding

ROOTS = ("sqrt", "pow", "rsqrt")


@check(
    id="numerics/root-gradient-at-zero",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("pytorch#2421", "pytorch#37154", "mmrotate#205", "vector-quantize#106"),
    explains=("symptom/nan",),
    fault=(
        Edit(
            script="custom_loss",
            old="    loss = masked_mean(*token_losses(model(inputs), targets))",
            new="    logits = model(inputs)\n"
            "    loss = masked_mean(*token_losses(logits, targets))\n"
            "    drift = (logits - ema(inputs).detach()).pow(2).sum(-1)\n"
            "    loss = loss + 0.1 * drift.sqrt().mean()  # stay near the average",
        ),
        Edit(
            script="custom_loss",
            old="        rms = torch.sqrt((x * x).mean(dim=-1, keepdim=True) + self.eps)",
            new="        x = torch.relu(x) * (x > 0.2)\n"
            "        rms = torch.sqrt((x * x).mean(dim=-1, keepdim=True)) + self.eps",
        ),
    ),
)
def CHECK(first: FirstNonFinite) -> Iterator[Finding]:
    """A root's backward divided by zero."""
    if first.event is None:
        return
    for operation in first.operations(*ROOTS, phase="backward"):
        divisor = operation.operands[-1] if operation.operands else None
        if divisor is not None and divisor.zeros and operation.born:
            yield Finding(
                measured={
                    "operation": operation.name,
                    "zeros": divisor.zeros,
                    "of": divisor.size,
                    "update": first.event.update,
                },
                where=operation.where,
                severity=first.event.severity,
            )
            return


def _root(zeros: int, nan: int = 0) -> FirstNonFinite:
    gradient = Operand((16, 1), "float32", -0.1, 0.1, 16, nan=nan)
    result = Operand((16, 1), "float32", 0.0, 2.0, 16, zeros=zeros)
    made = Operation("sqrt", "backward", (gradient, result), None, "model.py", 45, "norm")
    return FirstNonFinite(Event(0, 1, "gradient", (made,), harm="weights"))


SICK = Example(
    evidence=(_root(3),),
    finds=({"operation": "sqrt", "zeros": 3, "of": 16, "update": 0},),
)
HEALTHY = (
    Example(evidence=(FirstNonFinite(),)),
    Example(evidence=(_root(0),)),
    # the gradient was NaN before it came to the root
    Example(evidence=(_root(3, nan=16),)),
)
