from collections.abc import Iterator

from shindan.core.check import check
from shindan.core.evidence.curve import Curve
from shindan.core.finding import Finding


@check(
    id="symptom/loss-flat",
    kind="symptom",
    severity="major",
    grounds="threshold",
    explains=(),
    refs=(),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    yield Finding(measured={"count": curve.total_updates})
