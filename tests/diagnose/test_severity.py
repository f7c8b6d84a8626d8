"""How sure a finding is depends on what the run can show."""

import pytest

from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.registry import find

LINES = DataLines(128, 4.85, 4.6, 3.16, 2.4, 60_000)
MASKED = DataLines(128, 4.85, 4.6, 3.16, None, 60_000)


@pytest.mark.parametrize(
    ("lines", "updates", "severity"),
    [(LINES, 250, None), (MASKED, 250, "minor"), (MASKED, 2500, None)],
)
def test_a_masked_lm_may_rest_on_the_unigram_line(
    lines: DataLines, updates: int, severity: str | None
) -> None:
    values = [3.16 + 0.02 * (-1) ** i for i in range(updates)]
    micro = tuple(MicroStep(i, i, v, ce=v) for i, v in enumerate(values))
    use = ContextUse(updates, "next", 24, 0.01, 0.003, 0.05, 0.0, 3.16)
    run = Curve(micro, (), total_updates=updates)
    (finding,) = find("symptom/at-unigram-line")(run, lines, use)
    assert finding.severity == severity
