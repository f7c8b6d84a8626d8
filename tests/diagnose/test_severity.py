"""How sure a finding is depends on what the run can show."""

from typing import Literal

import pytest

from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.evidence.nonfinite import Event
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


@pytest.mark.parametrize(
    ("harm", "batches", "lost", "severity"),
    [
        ("none", 0, 6, "minor"),
        ("none", 0, 7, "major"),
        ("none", 7, 0, "major"),
        ("weights", 0, 1, "critical"),
    ],
)
def test_more_than_a_tenth_of_the_batches_lost_is_no_accident(
    harm: Literal["none", "weights"], batches: int, lost: int, severity: str
) -> None:
    event = Event(6, 6, "gradient", harm=harm, batches=batches, of=60, lost=lost)
    assert event.severity == severity
