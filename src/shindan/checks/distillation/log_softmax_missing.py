"""A KL divergence is given probabilities or logits where it wants log-probabilities.

The log-sum-exp of a row of log-probabilities is 0, and below 0 when only some classes are kept.
For probabilities it lies between ln V and ln(V - 1 + e), for fresh logits near ln V: with the
smallest vocabularies (V = 2) still 0.69. The limit of 0.1 leaves room for half precision.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.distillation import DistillationLedger, Sample, Side, Term
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

ABOVE_ONE = 0.1
LEAST = 2


@check(
    id="distillation/log-softmax-missing",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("ProDA#20", "ProDA#43"),
    explains=("symptom/student-no-gain", "symptom/loss-diverging", "symptom/nan"),
    subsumes=("distillation/kl-reduction", "distillation/self-kl"),
    fault=(
        Edit(
            script="distill",
            old="F.log_softmax(student_logits / TEMPERATURE, dim=-1)",
            new="F.softmax(student_logits / TEMPERATURE, dim=-1)",
        ),
        Edit(
            script="distill",
            old="F.log_softmax(student_logits / TEMPERATURE, dim=-1)",
            new="student_logits / TEMPERATURE",
        ),
        Edit(
            script="distill",
            old="F.softmax(teacher_logits / TEMPERATURE, dim=-1)",
            new="F.log_softmax(teacher_logits / TEMPERATURE, dim=-1)",
        ),
    ),
)
def CHECK(ledger: DistillationLedger) -> Iterator[Finding]:
    """The input (or the target) of a KL divergence is no distribution of the kind it wants."""
    for term in ledger.terms:
        if term.kind != "kl_div" or len(term.samples) < LEAST:
            continue
        variant = _input(term.samples) or _target(term)
        if variant:
            last = term.samples[-1]
            yield Finding(
                measured={
                    "value": last.value,
                    "input_sum": last.input.total,
                    "target_sum": last.target.total,
                    "logsumexp": last.input.logsumexp,
                },
                where=Where(term.file, term.line),
                variant=variant,
            )


def _input(samples: tuple[Sample, ...]) -> str:
    if not all(s.input.logsumexp > ABOVE_ONE for s in samples):
        return ""
    sums_to_one = all(s.input.low >= 0 and abs(s.input.total - 1) < ABOVE_ONE for s in samples)
    return "probabilities" if sums_to_one else "logits"


def _target(term: Term) -> str:
    """Log-probabilities or logits as target, or probabilities under ``log_target=True``."""
    if term.log_target:
        wrong = all(s.target.logsumexp > ABOVE_ONE for s in term.samples)
        return "log_target" if wrong else ""
    return "target" if all(s.target.low < 0 for s in term.samples) else ""


def _term(input: Side, target: Side, value: float, log_target: bool = False) -> DistillationLedger:
    samples = tuple(Sample(n, value, 64, input, target) for n in (1, 2, 4))
    term = Term("kl_div", "batchmean", log_target, (64, 50), 9, samples)
    return DistillationLedger((term,), ())


_LOG_P = Side(True, low=-9.0, total=-200.0, logsumexp=0.0)
_P = Side(False, low=0.0, total=1.0, logsumexp=3.94)

SICK = (
    Example((_term(_P, _P, -3.1),), finds=({"value": -3.1, "logsumexp": 3.94},)),
    Example((_term(Side(True, low=-4.0, total=2.0, logsumexp=4.4), _P, -9.0),), finds=({},)),
    Example((_term(_LOG_P, _LOG_P, float("nan")),), finds=({"input_sum": -200.0},)),
    Example((_term(_LOG_P, _P, -40.0, log_target=True),), finds=({"target_sum": 1.0},)),
)
HEALTHY = (
    Example((_term(_LOG_P, _P, 0.4),)),
    Example((_term(_LOG_P, _LOG_P, 0.4, log_target=True),)),
    # the teacher's ten best classes alone: the rows sum to less than one
    Example((_term(Side(True, low=-9.0, total=-60.0, logsumexp=-0.2), _P, 0.4),)),
)
