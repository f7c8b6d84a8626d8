"""A softmax over a row in which every key is masked: -inf everywhere, and so NaN.

An exact relation, no threshold: the first NaN that reaches the loss or a gradient is the result
of a softmax (or of fused attention) of which whole input rows are -inf.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import Finding

HUGE = 1e4
"""Finite mask constants in use are -1e4 (fp16) and beyond; their sum is another fault."""


@check(
    id="numerics/fully-masked-row",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("pytorch#41508", "pytorch#103749", "dgl#2657"),
    explains=("symptom/nan",),
    fault=(
        Edit(
            script="bert_mlm",
            old="(~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min",
            new="attention_mask[:, None, :, None] & attention_mask[:, None, None, :]\n"
            "        additive_mask = (~additive_mask * 1.0).masked_fill(~additive_mask, -math.inf)",
        ),
        Edit(
            script="custom_loss",
            old="        scores = scores.masked_fill(future, torch.finfo(scores.dtype).min)",
            new="        future = future | torch.eye(t, dtype=torch.bool)  # not itself\n"
            "        scores = scores.masked_fill(future, float('-inf'))",
        ),
    ),
)
def CHECK(first: FirstNonFinite) -> Iterator[Finding]:
    """The NaN is born in a softmax whose rows are dead."""
    event = first.event
    if event is None or not event.chain:
        return
    last = event.chain[-1]
    if not last.dead_rows or _overflowed(event.chain[:-1]):
        return
    yield Finding(
        measured={
            "rows": last.dead_rows,
            "of": last.rows,
            "update": event.update,
            "operation": last.name,
        },
        where=last.where,
        severity=event.severity,
    )


def _overflowed(chain: tuple[Operation, ...]) -> bool:
    """Was the -inf made by adding finite mask constants (numerics/mask-constant-fp16)?"""
    return any(
        o.born and o.name in ("add", "sub", "mul") and _lowest(o.operands) < -HUGE for o in chain
    )


def _lowest(operands: tuple[Operand, ...]) -> float:
    return min((o.low for o in operands if o.low is not None), default=0.0)


def _softmax(dead: int) -> Operation:
    scores = Operand((2, 4, 4), "float32", -1.0, 1.0, 32, negative_inf=20)
    return Operation("softmax", "forward", (scores,), None, "model.py", 41, "layers.0", dead, 8)


_FILL = Operation(
    "masked_fill", "forward", (Operand((2, 1, 4), "float32", 0.0, 0.0, 8, zeros=8),), None
)
_OVERFLOW = Operation(
    "add", "forward", (Operand((2, 1, 4), "float16", -65504.0, 0.0, 8, zeros=4),), None
)
SICK = (
    Example(
        evidence=(FirstNonFinite(Event(0, 0, "loss", (_FILL, _softmax(3)), harm="weights")),),
        finds=({"rows": 3, "of": 8, "update": 0, "operation": "softmax"},),
    ),
)
HEALTHY = (
    Example(evidence=(FirstNonFinite(),)),
    # -inf with a live key in every row; the NaN came from elsewhere
    Example(evidence=(FirstNonFinite(Event(0, 0, "loss", (_softmax(0),))),)),
    # the constant overflowed: numerics/mask-constant-fp16 says so
    Example(evidence=(FirstNonFinite(Event(0, 0, "loss", (_OVERFLOW, _softmax(3)))),)),
)
