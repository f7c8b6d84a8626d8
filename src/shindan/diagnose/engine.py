"""Evidence in, document out: run the checks, rank causes, tie symptoms to them."""

from collections.abc import Iterable, Mapping, Sequence

from shindan.core.check import Check
from shindan.core.document import Document, Verdict
from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.curve import Curve
from shindan.core.finding import CONFIDENCE, SEVERITIES, Diagnosed, Failure, NotRun, Subject
from shindan.core.reason import Reason
from shindan.core.registry import checks as all_checks
from shindan.diagnose.ranking import ranked
from shindan.diagnose.trend import derived

ENOUGH_UPDATES = 10
"""Below this many updates silence means nothing: the verdict is ``inconclusive``."""
PER_CHECK = 3
"""Findings kept of one check."""

NOTHING = Reason("nothing-gathered")

Gathered = Mapping[type[Evidence], Evidence]


def diagnose(
    evidence: Gathered,
    missing: Sequence[Unavailable],
    failures: Sequence[Failure],
    subject: Subject,
    checks: Iterable[Check] | None = None,
) -> Document:
    """Judge one run's evidence by every check."""
    checks = all_checks() if checks is None else tuple(checks)
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
        lacking = [n for n in check.needs if not n.optional and n.type not in evidence]
        if lacking:
            name = lacking[0].type.__name__
            not_run.append(NotRun(check.id, because.get(name, NOTHING)))
            continue
        try:
            found.extend(_judged(check, evidence))
        except Exception as error:  # noqa: BLE001 - a check that crashes stops nothing
            broken.append(Failure(f"check {check.id}", f"{type(error).__name__}: {error}"))
    findings = ranked(found, {c.id: c for c in checks})
    verdict = _verdict(findings, evidence)
    return Document(verdict, (subject,), findings, tuple(not_run), tuple(broken))


def _judged(check: Check, evidence: Gathered) -> list[Diagnosed]:
    given = {n.name: evidence.get(n.type) for n in check.needs}
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
        for f in list(check.judge(**given))[:PER_CHECK]
    ]


def _verdict(findings: Sequence[Diagnosed], evidence: Gathered) -> Verdict:
    if any(f.severity in SEVERITIES[:2] for f in findings):
        return "sick"
    curve = evidence.get(Curve)
    if not isinstance(curve, Curve) or curve.total_updates < ENOUGH_UPDATES:
        return "inconclusive"
    return "healthy"
