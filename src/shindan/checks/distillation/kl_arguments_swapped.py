"""The gradient flows into the second argument of the KL divergence: it is reversed."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 2


@check(
    id="distillation/kl-arguments-swapped",
    kind="risk",
    severity="minor",
    grounds="ledger",
    refs=("mepeichun/Efficient-Neural-Network-Bilibili#1", "kjaved0/incremental-learning#5"),
    explains=("symptom/student-no-gain",),
    fault=Edit(
        script="distill",
        old="F.kl_div(student_log_probs, teacher_probs,",
        new="F.kl_div(teacher_probs.log(), student_log_probs.exp(),",
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Only the target carries gradients, and no other divergence goes the usual way."""
    divergences = [t for t in ledger.terms if t.kind == "kl_div" and len(t.samples) >= LEAST]
    if any(s.input.grad for t in divergences for s in t.samples):
        return  # the usual direction is there too: a symmetric or a mixed divergence
    for term in divergences:
        if all(s.target.grad for s in term.samples):
            yield Finding(
                measured={"value": term.samples[-1].value, "hints": ", ".join(term.words) or "-"},
                where=Where(term.file, term.line),
                severity="info" if term.words else None,
            )


def _term(input: bool, target: bool) -> Term:
    samples = tuple(Sample(n, 0.5, 64, Side(input), Side(target)) for n in (1, 2, 4))
    return Term("kl_div", "batchmean", False, (64, 50), 9, samples)


SICK = Example((DistillationLedger((_term(False, True),), ()),), finds=({"hints": "-"},))
HEALTHY = (
    Example((DistillationLedger((_term(True, False),), ()),)),
    Example((DistillationLedger((_term(True, False), _term(False, True)), ()),)),  # symmetric
    Example((DistillationLedger((_term(True, True),), ()),)),  # two passes of one model (R-Drop)
)
