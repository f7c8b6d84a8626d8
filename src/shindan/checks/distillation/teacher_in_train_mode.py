"""The teacher drops activations at random while it teaches."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="distillation/teacher-in-train-mode",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("vrvlive#2", "unbiased-teacher#50", "yolov5-kd#5"),
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(script="distill", old="teacher.eval()\n", new=""),
        Edit(script="distill", old="teacher.eval()\n", new="teacher.train()\n"),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Active dropout in a recognised teacher that is neither trained nor an average."""
    told: set[int] = set()
    for term in ledger.terms:
        pair = ledger.pair(term)
        if pair is None or pair[1].number in told:
            continue
        teacher = pair[1]
        averaged = teacher.moved and not teacher.stepped  # a mean teacher is noisy by design
        if teacher.dropout > 0 and not averaged and not teacher.hard_loss:
            told.add(teacher.number)
            yield Finding(
                measured={"teacher": teacher.name, "dropout": teacher.dropout},
                where=Where(term.file, term.line, teacher.name),
            )


def _ledger(*teacher: tuple[str, bool | float]) -> DistillationLedger:
    samples = tuple(Sample(n, 0.5, 64, Side(True, 1), Side(False, 0)) for n in (1, 2, 4))
    term = Term("kl_div", "batchmean", False, (64, 50), 9, samples)
    one, two = Root(0, "Teacher", 900), Root(1, "Student", 90, training=True, dropout=0.1)
    return DistillationLedger((term,), (Root(**{**vars(one), **dict(teacher)}), two))


SICK = Example((_ledger(("training", True), ("dropout", 0.3)),), finds=({"dropout": 0.3},))
HEALTHY = (
    Example((_ledger(),)),
    Example((_ledger(("training", True)),)),  # train mode, nothing to drop
    Example((_ledger(("training", True), ("dropout", 0.1), ("moved", True)),)),  # mean teacher
    Example((_ledger(("training", True), ("dropout", 0.1), ("hard_loss", True)),)),  # co-training
)
