from collections.abc import Iterator

from shindan.core.check import check
from shindan.core.evidence.curve import Curve
from shindan.core.finding import Finding


@check(
    id="data/padding-in-loss",
    kind="cause",
    severity="critical",
    grounds="relation",
    explains=("symptom/loss-flat",),
    refs=("EleutherAI/gpt-neo#45",),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    yield Finding(measured={"count": curve.total_updates})
