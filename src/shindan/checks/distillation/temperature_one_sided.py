"""Only one side of the distillation loss is divided by the temperature.

Both temperatures are measured: the factor between a row of the loss and the logits it came from.
"""

from collections.abc import Iterator
from statistics import median

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

ONE = 0.02
SOFTENED = 1.2
LEAST = 2


@check(
    id="distillation/temperature-one-sided",
    kind="cause",
    severity="major",
    grounds="relation",
    explains=("symptom/student-no-gain",),
    subsumes=("distillation/temperature-gradient-scale",),
    fault=(
        Edit(
            script="distill",
            old="F.log_softmax(student_logits / TEMPERATURE, dim=-1)",
            new="F.log_softmax(student_logits, dim=-1)",
        ),
        Edit(
            script="distill",
            old="F.softmax(teacher_logits / TEMPERATURE, dim=-1)",
            new="F.softmax(teacher_logits, dim=-1)",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """One side at temperature one, the other softened."""
    for term in ledger.terms:
        pair = ledger.pair(term)
        if pair is None or term.kind not in ("kl_div", "cross_entropy"):
            continue
        both = [
            (s.input.temperature, s.target.temperature)
            for s in term.samples
            if s.input.temperature and s.target.temperature
        ]
        if len(both) < LEAST:
            continue
        student, teacher = (median(t) for t in zip(*both, strict=True))
        low, high = min(student, teacher), max(student, teacher)
        if abs(low - 1) < ONE and high > SOFTENED:
            yield Finding(
                measured={"input": student, "target": teacher},
                where=Where(term.file, term.line),
            )


def _ledger(student: float, teacher: float) -> DistillationLedger:
    one, two = Side(True, 1, student), Side(False, 0, teacher)
    samples = tuple(Sample(n, 0.5, 64, one, two) for n in (1, 2, 4))
    term = Term("kl_div", "batchmean", False, (64, 50), 20, samples)
    return DistillationLedger((term,), (Root(0, "Teacher", 900), Root(1, "Student", 90)))


SICK = (
    Example((_ledger(1.0, 4.0),), finds=({"input": 1.0, "target": 4.0},)),
    Example((_ledger(2.0, 1.0),), finds=({"input": 2.0},)),
)
HEALTHY = (
    Example((_ledger(2.0, 2.0),)),
    Example((_ledger(1.0, 1.0),)),
    Example((_ledger(1.0, 0.4),)),  # targets sharpened on purpose
    Example((_ledger(0.1, 0.04),)),  # both sharp, the teacher more (DINO)
)
