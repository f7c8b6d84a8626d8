"""Both sides of the distillation loss are the same distribution: it is zero and teaches nothing.

The two ways to the same numbers (exp of log_softmax, softmax) differ by rounding, 1e-5 of the
largest probability at most; a student that has moved even a little from its teacher is farther.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

ROUNDING = 2e-5
LEAST = 3
STARTED = 10
"""Calls after which a student made as a copy of its teacher has left it."""


@check(
    id="distillation/self-kl",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("labmlai/annotated_deep_learning_paper_implementations#66",),
    explains=("symptom/student-no-gain",),
    subsumes=("distillation/kd-term-off",),
    fault=(
        Edit(
            script="distill",
            old="F.softmax(teacher_logits / TEMPERATURE, dim=-1)",
            new="F.softmax(student_logits / TEMPERATURE, dim=-1)",
        ),
        Edit(
            script="distill",
            old="kd_loss(student_logits[masked], teacher_logits[masked])",
            new="kd_loss(student_logits[masked], student_logits[masked].detach())",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Equal distributions at every sample, also after the student has moved."""
    for term in ledger.terms:
        gaps = [s.gap for s in term.samples if s.gap is not None]
        enough = len(gaps) >= LEAST and term.samples[-1].call >= STARTED
        entropy = term.kind == "cross_entropy" and any(s.target.grad for s in term.samples)
        if enough and not entropy and max(gaps) <= ROUNDING:
            yield Finding(
                measured={"gap": max(gaps), "calls": term.calls, "value": term.samples[-1].value},
                where=Where(term.file, term.line),
            )


def _ledger(kind: str, target_grad: bool, *gaps: float) -> DistillationLedger:
    calls = (1, 2, 4, 12)
    samples = tuple(
        Sample(n, 0.0, 64, Side(True), Side(target_grad), gap=g)
        for n, g in zip(calls, gaps, strict=False)
    )
    return DistillationLedger((Term(kind, "batchmean", False, (64, 50), 12, samples),), ())


SICK = Example((_ledger("kl_div", True, 1e-7, 1e-7, 2e-7, 1e-7),), finds=({"gap": 2e-7},))
HEALTHY = (
    Example((_ledger("kl_div", False, 0.4, 0.3, 0.2, 0.1),)),
    Example((_ledger("kl_div", False, 0.0, 1e-6, 3e-4, 1e-2),)),  # an average that starts equal
    Example((_ledger("kl_div", False, 0.0, 0.0),)),  # too early to say
    Example((_ledger("cross_entropy", True, 0.0, 0.0, 0.0, 0.0),)),  # the entropy is minimised
)
