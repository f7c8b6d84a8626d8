"""A trainable projection on the teacher's side: the hidden loss falls by shrinking both sides.

MSE(student, projection(teacher)) is zero when both are constant. The scale of the two sides is
the sum of their variances over positions, what two unrelated signals would cost. It is told when
the projection's own output carries gradients, comes from states without any, is stepped, and the
scale at the end is less than SHRUNK of that at the start: 0.19 on the patient and 0.18 on the field
report's system relived. With the projection on the student's side the target stays as it is.
"""

from collections.abc import Iterator
from statistics import median

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import (
    LANGUAGE_LIKE,
    DistillationLedger,
    Root,
    Sample,
    Side,
    Term,
)
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

SHRUNK = 0.5
ENDS = 3
"""Samples at each end of the run."""

_UP = """\
project = nn.Linear(32, 64)  # the student goes up to the teacher's width; the teacher stays put
student_optimizer = torch.optim.Adam([*student.parameters(), *project.parameters()], lr=8e-3)
student_scheduler = warmup_then_linear(student_optimizer, STUDENT_STEPS)
print(f"student: val loss {evaluate(student, val_inputs, val_labels):.4f} before")
for step, ids in enumerate(batches(train_ids, STUDENT_STEPS), start=1):
    inputs, labels = mask_tokens(ids)
    with torch.no_grad():
        teacher_logits, teacher_hidden = teacher(inputs)
    student_logits, student_hidden = student(inputs)
    masked = labels != -100
    kd = kd_loss(student_logits[masked], teacher_logits[masked])
    mlm = mlm_loss(student_logits, labels)
    mse = hidden_loss(project(student_hidden), teacher_hidden, inputs != PAD_ID)
"""
"""From the projection's making to its use, in the patient."""


@check(
    id="distillation/projection-collapses",
    kind="cause",
    severity="major",
    grounds="relation",
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(
            script="distill",
            old=_UP,
            new=_UP.replace("nn.Linear(32, 64)", "nn.Linear(64, 32)").replace(
                "project(student_hidden), teacher_hidden", "student_hidden, project(teacher_hidden)"
            ),
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """The scale of both sides, early and late."""
    if not any(r.fed_ids and not r.grad_output for r in ledger.roots):
        return
    for term in ledger.terms:
        if term.kind in LANGUAGE_LIKE or len(term.samples) < 2 * ENDS:
            continue
        if not all(_moving(s, ledger) for s in term.samples):
            continue
        early, late = (_scale(part) for part in (term.samples[:ENDS], term.samples[-ENDS:]))
        if early > 0 and late / early < SHRUNK:
            first, last = term.samples[0], term.samples[-1]
            yield Finding(
                {
                    "scale": late / early,
                    "loss": last.value / first.value if first.value else 0.0,
                    "early": early,
                    "late": late,
                    "calls": last.call - first.call,
                },
                Where(term.file, term.line),
            )


def _moving(sample: Sample, ledger: DistillationLedger) -> bool:
    """One side is the student's, the other a trained projection of what has no gradients."""
    sides = (sample.input, sample.target)
    if not all(s.grad for s in sides) or sample.input.root == sample.target.root:
        return False
    return any(_projection(ledger.root(s.root)) for s in sides)


def _projection(root: Root | None) -> bool:
    return root is not None and root.stepped and not root.fed_by_grad and not root.fed_ids


def _scale(samples: tuple[Sample, ...]) -> float:
    return median(s.input.spread**2 + s.target.spread**2 for s in samples)


def _ledger(end: float, *, grad: bool = True, fed_by_grad: bool = False) -> DistillationLedger:
    """Both sides' spread goes from 0.9 to ``end``; the target is the projection's output."""
    spreads = [0.9, 0.85, 0.8, 0.7, 0.5, end, end, end]
    samples = tuple(
        Sample(i + 2, s**2, 64, Side(True, 1, spread=s), Side(grad, 2, spread=s))
        for i, s in enumerate(spreads)
    )
    roots = (
        Root(0, "Teacher", 9000, trainable=False, fed_ids=True),
        Root(1, "Student", 900, grad_output=True, fed_ids=True, stepped=True),
        Root(2, "Linear", 90, grad_output=grad, fed_by_grad=fed_by_grad, stepped=grad),
    )
    return DistillationLedger((Term("mse_loss", "mean", False, (64, 32), 60, samples),), roots)


SICK = (Example((_ledger(0.3),), finds=({"calls": 7},)),)
HEALTHY = (
    Example((_ledger(0.8),)),  # it does not shrink
    Example((_ledger(0.3, grad=False),)),  # a fixed projection (PCA, random)
    Example((_ledger(0.3, fed_by_grad=True),)),  # it projects the student's states
)
