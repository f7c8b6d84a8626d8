"""The teacher is trained by the distillation loss, or gradients are computed for it in vain."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="distillation/teacher-trainable",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("yolov8_Distillation#16", "lightly-ai/lightly-train#434"),
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(
            script="distill",
            old="""\
for step, ids in enumerate(batches(train_ids, STUDENT_STEPS), start=1):
    inputs, labels = mask_tokens(ids)
    with torch.no_grad():
        teacher_logits, teacher_hidden = teacher(inputs)
""",
            new="""\
student_optimizer.param_groups[0]["params"] += teacher.requires_grad_(True).parameters()
for step, ids in enumerate(batches(train_ids, STUDENT_STEPS), start=1):
    inputs, labels = mask_tokens(ids)
    teacher_logits, teacher_hidden = teacher(inputs)
""",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """A teacher that moves with the optimizer, or gets gradients for nothing."""
    told: set[int] = set()
    for term in ledger.terms:
        pair = ledger.pair(term)
        if pair is None or pair[1].number in told:
            continue
        found = _judged(term, pair[1])
        if found is not None:
            told.add(pair[1].number)
            yield found


def _judged(term: Term, teacher: Root) -> Finding | None:
    if teacher.hard_loss or not teacher.trainable or not teacher.fed_ids:
        return None  # two students, a frozen teacher, a projection
    measured: dict[str, str | int] = {"teacher": teacher.name, "elements": teacher.elements}
    where = Where(term.file, term.line, teacher.name)
    if teacher.stepped and teacher.moved:
        return Finding(measured, where)
    both = all(s.target.grad and s.input.grad for s in term.samples)
    if both and not teacher.moved:
        return Finding(measured, where, severity="minor", variant="gradients")
    return None


def _ledger(flows: bool, *teacher: tuple[str, bool]) -> DistillationLedger:
    samples = tuple(Sample(n, 0.5, 64, Side(True, 1), Side(flows, 0)) for n in (1, 2, 4))
    term = Term("kl_div", "batchmean", False, (64, 50), 9, samples)
    one, two = Root(0, "Teacher", 900, fed_ids=True), Root(1, "Student", 90, training=True)
    return DistillationLedger((term,), (Root(**{**vars(one), **dict(teacher)}), two))


SICK = (
    Example((_ledger(True, ("stepped", True), ("moved", True)),), finds=({"elements": 900},)),
    Example((_ledger(True),), finds=({"teacher": "Teacher"},)),
)
HEALTHY = (
    Example((_ledger(False, ("trainable", False)),)),
    Example((_ledger(False),)),  # under no_grad
    Example((_ledger(False, ("moved", True)),)),  # an average of the student's weights
    Example((_ledger(True, ("stepped", True), ("moved", True), ("hard_loss", True)),)),
)
