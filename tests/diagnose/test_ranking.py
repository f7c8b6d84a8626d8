"""What is only a consequence of another finding is not told beside it."""

from shindan.core.finding import NOWHERE, Diagnosed, Severity
from shindan.core.registry import find
from shindan.diagnose.ranking import ranked

SLOW, LEFT_OUT, BOUNDED = (
    "optimizer/lr-too-low",
    "optimizer/parameters-frozen",
    "model/softmax-before-cross-entropy",
)
CHECKS = {id: find(id) for id in (SLOW, LEFT_OUT, BOUNDED)}


def _found(id: str, severity: Severity = "major") -> Diagnosed:
    c = CHECKS[id]
    return Diagnosed(id, c.kind, severity, c.grounds, 1.0, {}, NOWHERE, "")


def _told(*found: Diagnosed) -> list[str]:
    return [f.id for f in ranked(found, CHECKS)]


def test_steps_gain_little_for_another_reason() -> None:
    """A bounded loss or a part that stands still makes any LR look low."""
    assert _told(_found(SLOW), _found(BOUNDED)) == [BOUNDED]
    assert _told(_found(SLOW), _found(LEFT_OUT)) == [LEFT_OUT]


def test_what_accuses_nobody_excuses_nobody() -> None:
    """A part that was frozen because a setting said so is no reason."""
    assert _told(_found(SLOW), _found(LEFT_OUT, "info")) == [SLOW, LEFT_OUT]
