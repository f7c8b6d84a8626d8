"""Padded positions count in the distillation loss.

A row counts when a gradient arrives at it. The accusation needs nearly all padded rows (a mask
that is off by one reaches a few) and a share of the rows that matters.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

NEARLY_ALL = 0.9
LEAST_ROWS = 8
LEAST_SHARE = 0.02
MATTERS = 0.1


@check(
    id="distillation/padding-in-loss",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("optipfair#34", "Liger#1478", "Model-Optimizer#892"),
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(
            script="distill",
            old="F.mse_loss(projected[real], teacher_hidden[real])",
            new="F.mse_loss(projected, teacher_hidden)",
        ),
        Edit(
            script="distill",
            old="kd_loss(student_logits[masked], teacher_logits[masked])",
            new="kd_loss(student_logits.flatten(0, 1), teacher_logits.flatten(0, 1))",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Padded rows that get gradients from a loss against the teacher."""
    for term in ledger.terms:
        if ledger.pair(term) is None or term.padded < LEAST_ROWS or not term.active:
            continue
        share = term.padded_active / term.active
        if term.padded_active >= NEARLY_ALL * term.padded and share >= LEAST_SHARE:
            yield Finding(
                measured={"share": share, "rows": term.active, "loss": term.kind},
                where=Where(term.file, term.line),
                severity=None if share >= MATTERS else "minor",
            )


def _ledger(padded: int, padded_active: int, active: int) -> DistillationLedger:
    samples = tuple(Sample(n, 0.5, 64, Side(True, 1), Side(False, 0)) for n in (1, 2, 4))
    term = Term(
        "mse_loss",
        "mean",
        False,
        (8, 64, 50),
        9,
        samples,
        padded=padded,
        padded_active=padded_active,
        active=active,
    )
    return DistillationLedger((term,), (Root(0, "Teacher", 900), Root(1, "Student", 90)))


SICK = Example((_ledger(300, 300, 1500),), finds=({"share": 0.2, "rows": 1500},))
HEALTHY = (
    Example((_ledger(300, 0, 1200),)),
    Example((_ledger(300, 24, 1224),)),  # one padded position a row is meant to be learnt
    Example((_ledger(0, 0, 1500),)),  # packed
)
