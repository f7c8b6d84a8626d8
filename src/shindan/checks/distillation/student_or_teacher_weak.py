"""The teacher has nothing to teach: it knows no more of this data than how often each token comes.

Teacher and student answer the same batch, in eval mode, and are held against its labels. A
teacher that is worse than its student may still teach (a student of the same size overtakes it at
the end); one that is worse than the unigram entropy of the very labels it is asked for has learned
nothing that is of use here, whatever it was meant to know. The line comes from the data, counted by
the run.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import DataLines
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.evidence.teaching import Teaching, TeachingPoint
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

SPREAD = 1.0
"""Standard deviation from label to label, nats: guesses near uniform have hardly any."""
ERRORS = 2.0
"""Standard errors above the line."""
STARTED = 10
"""Calls of the loss after which a teacher that learns, too, would have moved."""


@check(
    id="distillation/student-or-teacher-weak",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("jxiw/MambaInLlama#18",),
    explains=("symptom/student-no-gain",),
    fault=Edit(
        script="distill",
        old="for ids in batches(train_ids, TEACHER_STEPS):",
        new="for ids in batches(train_ids, 0):",
    ),
)
def CHECK(ledger: DistillationLedger, teaching: Teaching, lines: DataLines) -> Iterator[Finding]:
    """A fixed teacher above the unigram line, and above its student, at every look."""
    points = teaching.points
    term = _term(ledger, teaching.root)
    teacher = ledger.root(teaching.root)
    if term is None or teacher is None or teacher.moved:
        return
    labels = sum(p.labels for p in points)
    above = sum(p.teacher * p.labels for p in points) / labels - lines.unigram
    if term.samples[-1].call < STARTED or above < ERRORS * SPREAD / math.sqrt(labels):
        return
    if all(p.teacher >= p.student for p in points):
        last = points[-1]
        yield Finding(
            measured={
                "teacher": teacher.name,
                "teacher_loss": last.teacher,
                "student_loss": last.student,
                "unigram": lines.unigram,
                "update": last.update,
                "looks": len(points),
            },
            where=Where(term.file, term.line),
        )


def _term(ledger: DistillationLedger, root: int) -> Term | None:
    """The loss that holds the student's distribution against this teacher's."""
    for term in ledger.terms:
        pair = ledger.pair(term)
        if term.kind in ("kl_div", "cross_entropy") and pair and pair[1].number == root:
            return term
    return None


def _ledger(*calls: int, moved: bool = False) -> DistillationLedger:
    calls = calls or (1, 2, 5, 12)
    samples = tuple(Sample(n, 0.5, 64, Side(True, 1), Side(False, 0), 0.1) for n in calls)
    term = Term("kl_div", "batchmean", False, (64, 50), 20, samples)
    return DistillationLedger((term,), (Root(0, "T", 900, moved=moved), Root(1, "S", 90)))


def _teaching(*losses: tuple[float, float], labels: int = 200) -> Teaching:
    """(teacher, student) at updates 2, 8, 32, ..."""
    points = (TeachingPoint(2 * 4**i, *both, labels) for i, both in enumerate(losses))
    return Teaching(0, tuple(points))


_LINES = DataLines(16, 2.773, 2.773, 2.346, None, 9999)

SICK = Example(
    evidence=(_ledger(), _teaching((2.777, 2.695), (2.793, 2.593)), _LINES),
    finds=({"teacher": "T", "teacher_loss": 2.793, "student_loss": 2.593, "looks": 2},),
)
HEALTHY = (
    Example(evidence=(_ledger(), _teaching((1.78, 2.77), (1.74, 2.59)), _LINES)),
    # overtaken by its student, or weak: still better than counting
    Example(evidence=(_ledger(), _teaching((1.9, 2.7), (1.9, 1.7)), _LINES)),
    Example(evidence=(_ledger(), _teaching((2.2, 1.8), (2.2, 1.7)), _LINES)),
    # an average of the student itself, or a peer, that learns beside it
    Example(evidence=(_ledger(moved=True), _teaching((2.8, 2.7), (2.7, 2.6)), _LINES)),
    # too early, or too few labels, to say
    Example(evidence=(_ledger(1, 2), _teaching((2.8, 2.7)), _LINES)),
    Example(evidence=(_ledger(), _teaching((2.6, 2.5), labels=22), _LINES)),
)
