from collections.abc import Iterator

from shindan.core.check import check
from shindan.core.evidence.curve import Curve
from shindan.core.finding import Finding


@check(
    id="optimizer/clip-before-unscale",
    kind="cause",
    severity="major",
    grounds="intervention",
    explains=("symptom/loss-flat",),
    refs=(),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    yield Finding(measured={"count": curve.total_updates})
