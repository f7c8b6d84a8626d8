"""Softened targets without the factor T squared that keeps their gradient's size.

The gradient of a KL divergence at temperature T is 1 / T**2 of that at 1, so the weight is meant
to be alpha * T**2. When the measured weights of KL and labels add up to one, they are alpha and
1 - alpha as written, and the factor is not there.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

SOFTENED = 1.2
EXACT = 1e-3
LEAST = 3


@check(
    id="distillation/temperature-gradient-scale",
    kind="risk",
    severity="info",
    grounds="relation",
    refs=("google-research/scenic#706",),
    explains=("symptom/student-no-gain",),
    fault=Edit(
        script="distill",
        old="    student_loss = ALPHA_KD * kd + ALPHA_MLM * mlm + ALPHA_HIDDEN * mse",
        new="    student_loss = 0.5 * kd / TEMPERATURE**2 + 0.5 * mlm + ALPHA_HIDDEN * mse",
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Softened on both sides, and weights that are shares of one."""
    for term in ledger.terms:
        if term.kind != "kl_div" or len(term.samples) < LEAST or not all(map(_bare, term.samples)):
            continue
        last = term.samples[-1]
        yield Finding(
            measured={
                "temperature": last.input.temperature or 0.0,
                "weight": last.weight or 0.0,
                "hard_weight": last.hard_weight or 0.0,
            },
            where=Where(term.file, term.line),
        )


def _bare(s: Sample) -> bool:
    one, two = s.input.temperature, s.target.temperature
    if not one or not two or min(one, two) < SOFTENED or not s.weight or not s.hard_weight:
        return False
    return s.hard_weight > 0 and s.weight > 0 and abs(s.weight + s.hard_weight - 1) < EXACT


def _ledger(weight: float, hard: float, temperature: float = 4.0) -> DistillationLedger:
    one, two = Side(True, 1, temperature), Side(False, 0, temperature)
    samples = tuple(
        Sample(n, 0.5, 64, one, two, weight=weight, hard_weight=hard) for n in (1, 2, 4)
    )
    return DistillationLedger((Term("kl_div", "batchmean", False, (64, 50), 20, samples),), ())


SICK = Example((_ledger(0.9, 0.1),), finds=({"temperature": 4.0, "weight": 0.9},))
HEALTHY = (
    Example((_ledger(14.4, 0.1),)),
    Example((_ledger(0.9, 0.1, temperature=1.0),)),
    Example((_ledger(1.0, 1.0),)),  # weights that are no shares of one: nothing can be said
)
