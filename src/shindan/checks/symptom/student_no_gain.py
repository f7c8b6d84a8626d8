"""The student is no better than it would be without its teacher, as far as one run can tell.

A second run without the teacher would measure it. Two things in one run decide it already. *No
gradient*: of every loss that compares the student with another model, none that was sampled
weighed anything, or both sides were equal; the updates are those of a run without a teacher.
*No better*: on the labels of the update's own batch, in eval mode, a teacher that does not move
was no better than the student at any look, not even at the first ones: what the student is drawn
towards is not better than where it is.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.evidence.teaching import Teaching, TeachingPoint
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 4
STARTED = 10
EQUAL = 2e-5
"""Largest difference of two distributions, relative, that rounding explains."""
LOOKS = 2
LATE = 5


@check(
    id="symptom/student-no-gain",
    kind="symptom",
    severity="minor",
    grounds="ledger",
    refs=("deep_cage#16", "jxiw/MambaInLlama#18"),
    fault=(
        Edit(
            script="distill",
            old="ALPHA_KD * kd + ALPHA_MLM * mlm + ALPHA_HIDDEN * mse",
            new="0.0 * kd + ALPHA_MLM * mlm",
        ),
        Edit(
            script="distill",
            old="for ids in batches(train_ids, TEACHER_STEPS):",
            new="for ids in batches(train_ids, 0):",
        ),
    ),
)
def CHECK(ledger: DistillationLedger, teaching: Teaching | None) -> Iterator[Finding]:
    """Nothing of the teacher reaches the student, or nothing that it lacks."""
    dead = [t for t in ledger.terms if _dead(t)]
    compared = any(ledger.pair(t) for t in dead) or any(_equal(t) for t in dead)
    if compared and len(dead) == len(ledger.terms):
        yield Finding(
            measured={"losses": len(dead), "looks": max(len(t.samples) for t in dead)},
            where=Where(dead[0].file, dead[0].line),
            severity="info" if ledger.zeroed else None,
        )
    elif teaching is not None and _no_better(ledger, teaching):
        last = teaching.points[-1]
        yield Finding(
            measured={
                "teacher_loss": last.teacher,
                "student_loss": last.student,
                "update": last.update,
                "looks": len(teaching.points),
            },
            variant="teacher",
        )


def _dead(term: Term) -> bool:
    """At every sampled training call, over some updates, without effect."""
    samples = [s for s in term.samples if s.training]
    if len(samples) < LEAST or samples[-1].call < STARTED:
        return False
    return _equal(term) or not any(s.weight for s in samples)


def _equal(term: Term) -> bool:
    """Both sides are the same distribution; the entropy of one side is another objective."""
    gaps = [s.gap for s in term.samples if s.gap is not None]
    entropy = term.kind == "cross_entropy" and any(s.target.grad for s in term.samples)
    return len(gaps) >= LEAST and max(gaps) <= EQUAL and not entropy


def _no_better(ledger: DistillationLedger, teaching: Teaching) -> bool:
    points, root = teaching.points, teaching.root
    teacher = ledger.root(root)
    pairs = [p for t in ledger.terms if (p := ledger.pair(t)) and p[1].number == root]
    if not pairs or teacher is None or teacher.moved:
        return False
    enough = len(points) >= LOOKS and points[-1].update >= LATE
    return enough and all(p.teacher >= p.student for p in points)


def _term(*weights: float | None, gap: float = 0.4, kind: str = "kl_div") -> Term:
    calls = (1, 2, 5, 12, 17)
    samples = tuple(
        Sample(n, 0.5, 64, Side(True, 1), Side(False, 0), w, gap=gap)
        for n, w in zip(calls, weights, strict=False)
    )
    return Term(kind, "batchmean", False, (64, 50), 20, samples)


def _ledger(*terms: Term, moved: bool = False, zeroed: tuple[str, ...] = ()) -> DistillationLedger:
    return DistillationLedger(terms, (Root(0, "T", 900, moved=moved), Root(1, "S", 90)), zeroed)


def _teaching(*losses: tuple[float, float]) -> Teaching:
    """(teacher, student) at updates 2, 8, 32, ..."""
    return Teaching(0, tuple(TeachingPoint(2 * 4**i, *both, 200) for i, both in enumerate(losses)))


_ON = _term(0.5, 0.5, 0.5, 0.5)
_OFF = _term(0.0, 0.0, 0.0, 0.0)

SICK = (
    Example(evidence=(_ledger(_OFF),), finds=({"losses": 1, "looks": 4},)),
    Example(
        evidence=(_ledger(_term(0.5, 0.5, 0.5, 0.5, gap=2e-7)),), finds=({"losses": 1, "looks": 4},)
    ),
    Example(
        evidence=(_ledger(_ON), _teaching((2.78, 2.7), (2.79, 2.59))),
        finds=({"teacher_loss": 2.79, "student_loss": 2.59, "looks": 2},),
    ),
)
HEALTHY = (
    Example(evidence=(_ledger(_ON), _teaching((1.78, 2.77), (1.74, 2.59)))),
    # another loss still teaches; switched on later; too early to say
    Example(evidence=(_ledger(_OFF, _ON),)),
    Example(evidence=(_ledger(_term(0.0, 0.0, 0.0, 0.0, 0.1)),)),
    Example(evidence=(_ledger(_term(0.0, 0.0)),)),
    # overtaken in the end; a peer or an average that learns beside the student
    Example(evidence=(_ledger(_ON), _teaching((1.9, 2.7), (1.9, 1.8)))),
    Example(evidence=(_ledger(_ON, moved=True), _teaching((2.78, 2.7), (2.7, 2.59)))),
    Example(evidence=(_ledger(_ON), _teaching((2.78, 2.7)))),
)
