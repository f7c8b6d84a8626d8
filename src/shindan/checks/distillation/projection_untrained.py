"""A projection between student and teacher gets gradients, but no optimizer holds it."""

from collections.abc import Iterator
from dataclasses import replace

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 2


@check(
    id="distillation/projection-untrained",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("roymiles/Simple-Recipe-Distillation#1",),
    explains=("symptom/student-no-gain",),
    subsumes=("optimizer/parameters-missing",),
    fault=Edit(
        script="distill",
        old="Adam([*student.parameters(), *project.parameters()]",
        new="Adam([*student.parameters()]",
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """A module fed hidden states, with gradients, in no optimizer and unmoved."""
    told: set[int] = set()
    for term in ledger.terms:
        if len(term.samples) < LEAST or not all(s.weight for s in term.samples):
            continue
        for number in sorted({n for s in term.samples for n in (s.input.root, s.target.root) if n}):
            projection = ledger.root(number)
            if projection is None or projection.number in told or not _forgotten(projection):
                continue
            if any(r.stepped and r is not projection for r in ledger.roots):
                told.add(projection.number)
                yield Finding(
                    measured={"module": projection.name, "elements": projection.elements},
                    where=Where(term.file, term.line, projection.name),
                    severity=None if projection.fed_by_grad else "minor",
                )


def _forgotten(root: Root) -> bool:
    fed_hidden = not root.fed_ids and root.trainable and root.grad_output
    return fed_hidden and not root.held and not root.moved


def _ledger(**projection: bool) -> DistillationLedger:
    samples = tuple(
        Sample(n, 0.5, 64, Side(True, 2), Side(False, 0), weight=1.0) for n in (1, 2, 4)
    )
    term = Term("mse_loss", "mean", False, (64, 50), 9, samples)
    student = Root(1, "Student", 90, fed_ids=True, grad_output=True, held=True, stepped=True)
    made = replace(Root(2, "Linear", 9, grad_output=True, fed_by_grad=True), **projection)  # type: ignore[arg-type]
    roots = (Root(0, "Teacher", 900, fed_ids=True), student, made)
    return DistillationLedger((term,), roots)


SICK = Example((_ledger(),), finds=({"module": "Linear", "elements": 9},))
HEALTHY = (
    Example((_ledger(held=True, stepped=True, moved=True),)),
    Example((_ledger(trainable=False),)),  # a fixed random projection, meant as one
    Example((_ledger(moved=True),)),  # updated by hand
)
