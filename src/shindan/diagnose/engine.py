"""Evidence in, document out: run the checks, rank causes, tie symptoms to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shindan.core.check import Alternative, Check
from shindan.core.document import Document, Verdict
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.curve import Curve
from shindan.core.evidence.logs import LogFinite, LogProgress
from shindan.core.evidence.read import READ
from shindan.core.finding import (
    CONFIDENCE,
    KINDS,
    SEVERITIES,
    Diagnosed,
    Failure,
    NotRun,
    Subject,
)
from shindan.core.reason import Reason
from shindan.core.registry import checks as all_checks
from shindan.diagnose.ranking import ranked
from shindan.diagnose.trend import derived

ENOUGH_UPDATES = 10
"""Below this many updates silence means nothing: the verdict is ``inconclusive``."""
PER_CHECK = 3
"""Findings kept of one check."""
COMPARING = "comparison"
"""The family of checks of logs and of pairs of them."""
UNDECIDED = "comparison/cannot-decide"
"""The finding that says so of a log."""

NOTHING = Reason("nothing-gathered")

Gathered = Mapping[type[Evidence], Evidence]
VERDICTS: tuple[Verdict, ...] = ("sick", "inconclusive", "healthy")


def diagnose(
    evidence: Gathered,
    missing: Sequence[Unavailable],
    failures: Sequence[Failure],
    subject: Subject,
    checks: Iterable[Check] | None = None,
) -> Document:
    """Judge one subject's evidence by every check that can be made of a run, or of a log."""
    checks = _fitting(subject.kind) if checks is None else tuple(checks)
    found: list[Diagnosed] = []
    not_run: list[NotRun] = []
    broken = list(failures)
    try:
        evidence = {**evidence, **derived(evidence)}
    except Exception as error:  # noqa: BLE001 - the checks that need no trend go on
        broken.append(Failure("trend", f"{type(error).__name__}: {error}"))
    because = {m.evidence: m.because for m in missing}
    for check in checks:
        if check.preview:
            continue
        able = list(check.able(evidence))
        if not able:
            not_run.append(NotRun(check.id, because.get(_lacking(check, evidence), NOTHING)))
        for judge in able:
            try:
                found.extend(_judged(check, judge, evidence))
            except Exception as error:  # noqa: BLE001 - a check that crashes stops nothing
                broken.append(Failure(f"check {check.id}", f"{type(error).__name__}: {error}"))
    findings = ranked(found, {c.id: c for c in checks})
    verdict = _verdict(findings, evidence)
    return Document(verdict, (subject,), findings, tuple(not_run), tuple(broken))


def _fitting(kind: str) -> tuple[Check, ...]:
    """A log by the checks that can read one; a run not by those that compare two."""
    if kind == "log":
        return tuple(c for c in all_checks() if next(c.able(READ), None) is not None)
    return tuple(c for c in all_checks() if c.id.partition("/")[0] != COMPARING)


def together(documents: Sequence[Document]) -> Document:
    """One document of several subjects: the worst verdict, ranks within each subject."""
    findings = [
        replace(finding, subject=i) for i, d in enumerate(documents) for finding in d.findings
    ]
    findings.sort(key=lambda f: (KINDS.index(f.kind), SEVERITIES.index(f.severity)))
    return Document(
        min((d.verdict for d in documents), key=VERDICTS.index, default="inconclusive"),
        tuple(s for d in documents for s in d.subjects),
        tuple(findings),
        tuple(replace(n, subject=i) for i, d in enumerate(documents) for n in d.not_run),
        tuple(replace(f, subject=i) for i, d in enumerate(documents) for f in d.failed),
    )


def _lacking(check: Check, evidence: Gathered) -> str:
    """The evidence that the check's best judge for this subject did not get."""
    logged = LogProgress in evidence
    judges = [a for a in check.alternatives if not logged or not a.lacks(READ)]
    return judges[0].lacks(evidence)[0].__name__


def _judged(check: Check, judge: Alternative, evidence: Gathered) -> list[Diagnosed]:
    given = {n.name: evidence.get(n.type) for n in judge.needs}
    return [
        Diagnosed(
            id=check.id,
            kind=check.kind,
            severity=f.severity or check.severity,
            grounds=check.grounds,
            confidence=f.confidence if f.confidence is not None else CONFIDENCE[check.grounds],
            measured=f.measured,
            where=f.where,
            variant=f.variant,
        )
        for f in list(judge.judge(**given))[:PER_CHECK]
    ]


def _verdict(findings: Sequence[Diagnosed], evidence: Gathered) -> Verdict:
    if any(f.severity in SEVERITIES[:2] for f in findings):
        return "sick"
    if any(f.id == UNDECIDED for f in findings) or _seen(evidence) < ENOUGH_UPDATES:
        return "inconclusive"
    return "healthy"


def _seen(evidence: Gathered) -> int:
    """Updates of a run, or losses of a log."""
    curve, finite = evidence.get(Curve), evidence.get(LogFinite)
    if isinstance(curve, Curve):
        return curve.total_updates
    return finite.of if isinstance(finite, LogFinite) else 0
