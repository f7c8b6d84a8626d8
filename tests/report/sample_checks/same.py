from collections.abc import Iterator

from shindan.core.check import check
from shindan.core.evidence.curve import Curve
from shindan.core.finding import Finding


@check(
    id="symptom/same-answer",
    kind="symptom",
    severity="critical",
    grounds="threshold",
    explains=(),
    refs=(),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    yield Finding(measured={"count": curve.total_updates})
