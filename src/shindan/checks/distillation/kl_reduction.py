"""A KL divergence averaged over the vocabulary, or not averaged over the positions.

``reduction="mean"`` divides by rows * V: the distillation weighs 1 / V of what is written. Its
weight against the labels' is measured from gradients (an author may have multiplied by V). A
weight alpha * T**2 written by hand lies between 0.1 and 100 of the labels'; divided by V it lies
V times lower. Between the two stands 4 / sqrt(V), for V from 16 on. For ``batchmean`` on
(B, T, V) the sum over T remains: it is told when the KL outweighs the labels OUTWEIGHS times
after T**2 is taken out, more than a weight of 0.9 against 0.1 gives. Without labels beside it the
KL is held against one label of weight 1, and told as minor: an Adam makes up for a factor.
"""

from collections.abc import Iterator
from math import sqrt
from statistics import median

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure, Where

OUTWEIGHS = 10.0
LEAST = 2
WRITTEN = 4.0


@check(
    id="distillation/kl-reduction",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("knowledge-distillation-pytorch#48", "HikariTJU/LD#74", "sparseml#592", "deit#116"),
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(
            script="distill",
            old='F.kl_div(student_log_probs, teacher_probs, reduction="batchmean")',
            new='F.kl_div(student_log_probs, teacher_probs, reduction="mean")',
        ),
        Edit(
            script="distill",
            old='F.kl_div(student_log_probs, teacher_probs, reduction="batchmean")',
            new="nn.KLDivLoss()(student_log_probs, teacher_probs)",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """What the KL weighs beside the labels, by its reduction."""
    for term in ledger.terms:
        ratios = [_ratio(s) for s in term.samples]
        known = [r for r in ratios if r is not None]
        if term.kind != "kl_div":
            continue
        found = _told(term, median(known)) if len(known) >= LEAST else _alone(term)
        if found is not None:
            yield found


def _ratio(s: Sample) -> float | None:
    """What a row's KL weighs against a label, both summed over their rows."""
    if not s.weight or not s.hard_weight or s.hard_weight < 0 or s.weight < 0:
        return None
    return s.weight / s.hard_weight


def _alone(term: Term) -> Finding | None:
    """No labels beside the KL: by its own weight."""
    weights = [s.weight for s in term.samples if s.weight and s.hard_weight is None]
    if term.reduction != "mean" or len(weights) < max(LEAST, len(term.samples)):
        return None
    weight = median(weights)
    if not 0 < weight < WRITTEN / sqrt(term.classes):
        return None
    where = Where(term.file, term.line)
    return Finding(_measured(term, weight), where, severity="minor", variant="alone")


def _measured(term: Term, ratio: float) -> dict[str, Measure]:
    return {
        "classes": term.classes,
        "ratio": ratio,
        "meant": ratio * term.classes,
        "positions": term.samples[-1].rows // term.shape[0],
    }


def _told(term: Term, ratio: float) -> Finding | None:
    measured = _measured(term, ratio)
    where = Where(term.file, term.line)
    if term.reduction == "mean" and ratio < WRITTEN / sqrt(term.classes):
        return Finding(measured, where)
    squared = max(1.0, term.samples[-1].input.temperature or 1.0) ** 2
    summed = term.reduction == "batchmean" and len(term.shape) > 2
    if summed and ratio / squared > OUTWEIGHS:
        return Finding(measured, where, severity="minor", variant="sequence")
    return None


def _ledger(reduction: str, weight: float, hard: float | None, *shape: int) -> DistillationLedger:
    side, rows = Side(True), shape[0] * (shape[1] if len(shape) > 2 else 1)
    samples = tuple(
        Sample(n, 0.5, rows, side, Side(False), weight=weight, hard_weight=hard) for n in (1, 2, 4)
    )
    return DistillationLedger((Term("kl_div", reduction, False, shape, 9, samples),), ())


SICK = (
    Example((_ledger("mean", 0.04, 0.5, 64, 50),), finds=({"classes": 50, "ratio": 0.08},)),
    Example((_ledger("batchmean", 64.0, 0.5, 8, 128, 50),), finds=({"positions": 128},)),
    Example((_ledger("mean", 0.02, None, 64, 50),), finds=({"classes": 50, "ratio": 0.02},)),
)
HEALTHY = (
    Example((_ledger("batchmean", 2.0, 0.5, 64, 50),)),
    Example((_ledger("mean", 2.0, 0.5, 64, 50),)),  # multiplied by V again
    Example((_ledger("batchmean", 1.0, None, 64, 50),)),  # alone, per row
    Example((_ledger("mean", 1.0, None, 64, 50),)),  # alone, multiplied by V again
    Example((_ledger("batchmean", 1.0, 0.5, 8, 128, 50),)),  # divided by T by hand
)
