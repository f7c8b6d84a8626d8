"""A mask constant that does not fit its number format, or fits only once.

An exact relation: an addition of finite numbers, one of them beyond half the range of the
format, gave the -inf that filled whole rows of the softmax in which the first NaN was born.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import Finding

LARGEST = {"float16": 65504.0, "bfloat16": 3.3895e38, "float32": 3.4028e38, "float64": 1.797e308}


@check(
    id="numerics/mask-constant-fp16",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("transformers#17306", "apex#93", "fairseq#3575", "Automodel#2658"),
    explains=("symptom/nan",),
    fault=Edit(
        script="bert_mlm",
        old="(~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min",
        new="~(attention_mask[:, None, :, None] & attention_mask[:, None, None, :])\n"
        "        queries, lowest = ~attention_mask[:, None, :, None], torch.finfo(x.dtype).min\n"
        "        additive_mask = additive_mask * lowest + queries * lowest",
    ),
)
def CHECK(first: FirstNonFinite) -> Iterator[Finding]:
    """Finite mask constants were added until they overflowed to -inf."""
    event = first.event
    if event is None or not event.chain or not event.chain[-1].dead_rows:
        return
    for operation in event.chain[:-1]:
        constant = _constant(operation)
        if constant is not None:
            yield Finding(
                measured={
                    "operation": operation.name,
                    "constant": constant.low if constant.low is not None else 0.0,
                    "dtype": constant.dtype,
                    "rows": event.chain[-1].dead_rows,
                    "of": event.chain[-1].rows,
                },
                where=operation.where,
                severity=event.severity,
            )
            return


def _constant(operation: Operation) -> Operand | None:
    """The operand beyond half the range: twice of it overflows."""
    if not operation.born or operation.name not in ("add", "sub", "mul"):
        return None
    for o in operation.operands:
        limit = LARGEST.get(o.dtype)
        if limit is not None and o.low is not None and o.low < -limit / 2:
            return o
    return None


def _event(low: float, dtype: str) -> FirstNonFinite:
    mask = Operand((2, 1, 1, 8), dtype, low, 0.0, 16, zeros=8)
    add = Operation("add", "forward", (mask, mask), None, "model.py", 60)
    scores = Operand((2, 4, 8, 8), dtype, -3.0, 3.0, 512, negative_inf=256)
    softmax = Operation("softmax", "forward", (scores,), None, "model.py", 63, None, 16, 64)
    return FirstNonFinite(Event(0, 0, "loss", (add, softmax), harm="weights"))


SICK = Example(
    evidence=(_event(-65504.0, "float16"),),
    finds=({"constant": -65504.0, "dtype": "float16", "rows": 16, "of": 64},),
)
HEALTHY = (
    Example(evidence=(FirstNonFinite(),)),
    # a moderate constant is no cause of an overflow
    Example(evidence=(_event(-1e4, "float16"),)),
    Example(evidence=(_event(-1e9, "float32"),)),
)
