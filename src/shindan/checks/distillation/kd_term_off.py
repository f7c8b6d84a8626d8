"""A distillation loss is computed but has no part in what is differentiated."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Root, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST = 4
STARTED = 10


@check(
    id="distillation/kd-term-off",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("deep_cage#16",),
    explains=("symptom/student-no-gain",),
    fault=(
        Edit(
            script="distill",
            old="ALPHA_KD * kd + ALPHA_MLM * mlm + ALPHA_HIDDEN * mse",
            new="0.0 * kd + ALPHA_MLM * mlm",
        ),
        Edit(
            script="distill",
            old="ALPHA_KD * kd + ALPHA_MLM * mlm + ALPHA_HIDDEN * mse",
            new="ALPHA_KD * kd.item() + mlm + ALPHA_HIDDEN * mse.item()",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """Recognised student-teacher losses whose weight in the backward is nothing at every sample."""
    terms = [t for t in ledger.terms if ledger.pair(t) and len(_trained(t)) >= LEAST]
    off = [t for t in terms if t.samples[-1].call >= STARTED and not any(map(_weighs, _trained(t)))]
    for term in off:
        severity = "info" if ledger.zeroed else "minor" if len(off) < len(terms) else None
        yield Finding(
            measured={"loss": term.kind, "calls": term.calls, "value": term.samples[-1].value},
            where=Where(term.file, term.line),
            severity=severity,  # type: ignore[arg-type]
            variant="zero" if any(s.weight == 0 for s in term.samples) else "",
        )


def _trained(term: Term) -> list[Sample]:
    """Not the calls of an evaluation that forgot ``no_grad``."""
    return [s for s in term.samples if s.training]


def _weighs(sample: Sample) -> bool:
    return sample.weight is not None and sample.weight != 0


def _ledger(*weights: float | None, zeroed: tuple[str, ...] = ()) -> DistillationLedger:
    calls = (1, 2, 5, 12, 17)
    samples = tuple(
        Sample(n, 0.5, 64, Side(True, 1), Side(False, 0), weight=w)
        for n, w in zip(calls, weights, strict=False)
    )
    term = Term("kl_div", "batchmean", False, (64, 50), 20, samples)
    return DistillationLedger((term,), (Root(0, "T", 900), Root(1, "S", 90)), zeroed)


SICK = (
    Example((_ledger(None, None, None, None),), finds=({"calls": 20},)),
    Example((_ledger(0.0, 0.0, 0.0, 0.0, 0.0),), finds=({"loss": "kl_div"},)),
    Example((_ledger(0.0, 0.0, 0.0, 0.0, zeroed=("alpha",)),), finds=({"calls": 20},)),  # info
)
HEALTHY = (
    Example((_ledger(0.5, 0.5, 0.5, 0.5),)),
    Example((_ledger(0.0, 0.0, 0.0, 0.0, 0.1),)),  # switched on later
    Example((_ledger(None, None),)),  # too early
)
