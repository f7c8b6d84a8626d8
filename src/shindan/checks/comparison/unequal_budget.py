"""Two runs are compared at their ends, though one had more updates, tokens, time or compute.

Held against each other where both had spent the same: major where the order turns round at equal
updates or tokens, minor where it does only at equal time or FLOPs, or where more than half of the
difference goes with the budget; info where updates or tokens are equal and only time or FLOPs are
not. An order that turns round where the better one had come down its schedule and the other had not
is minor: the decay may be all there is to it. Budgets within a tenth of each other count as equal;
a difference that stands at every equal budget accuses nobody.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Pairing, check
from shindan.core.evidence.axes import Axis
from shindan.core.evidence.pairs import Facts, Meeting, Pair, Side
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure, Severity

EQUAL = 0.1
MOST = 0.5
LEARNING: tuple[Axis, ...] = ("updates", "tokens", "epochs")


@check(
    id="comparison/unequal-budget",
    kind="cause",
    severity="major",
    grounds="relation",
    pair=Pairing("report4_baseline", "report4_advanced"),
    refs=("HelenGuohx/logbert#50", "deit#63"),
)
def CHECK(pair: Pair) -> Iterator[Finding]:
    """The difference at the ends against those at equal budgets."""
    if pair.ends is None:
        return
    end = pair.ends.gap
    unequal = [m for m in pair.meetings if _unequal(pair, m)]
    turned = [m for m in unequal if m.clear and m.gap * end < 0]
    mostly = [m for m in unequal if math.copysign(1, end) * (end - m.gap) > MOST * abs(end)]
    chosen = next(iter((*turned, *mostly)), None)
    if chosen is None or abs(end) <= 2 * pair.ends.error:
        return
    stands = tuple(m.axis for m in pair.meetings if m.gap * end > 0)
    meant = any(m.axis in LEARNING and m not in unequal for m in pair.meetings)
    severity: Severity = "info" if meant and chosen.axis not in LEARNING else "minor"
    decayed = chosen in turned and _decayed(chosen)
    if chosen in turned and chosen.axis in LEARNING and not decayed:
        severity = "major"
    left: dict[str, Measure] = (
        {"left_a": chosen.rate_a or 0.0, "left_b": chosen.rate_b or 0.0}
        if chosen.schedules_differ
        else {}
    )
    yield Finding(
        measured={
            **left,
            "run_a": pair.a.name,
            "run_b": pair.b.name,
            "axis": chosen.axis,
            "spent_a": _spent(pair.a, chosen.axis),
            "spent_b": _spent(pair.b, chosen.axis),
            "end_a": pair.ends.a,
            "end_b": pair.ends.b,
            "at_a": chosen.at_a,
            "at_b": chosen.at_b,
            "level_a": chosen.a,
            "level_b": chosen.b,
            "difference": end,
            "budget": end - chosen.gap,
            "rest": chosen.gap,
            "stands": stands,
            "differ": pair.differ,
            "rerun": pair.rerun or f"{chosen.axis}={_spent(pair.a, chosen.axis):.0f}",
        },
        severity=severity,
        variant="decayed" if decayed else _variant(chosen in turned, stands),
    )


def _variant(turned: bool, stands: tuple[Axis, ...]) -> str:
    return "" if not turned else "turned_here" if stands else "turned"


def _decayed(met: Meeting) -> bool:
    """Is the better one the one that had come down its schedule, the other not?"""
    if not met.schedules_differ or met.rate_a is None or met.rate_b is None:
        return False
    return (met.gap > 0) == (met.rate_b < met.rate_a)


def _unequal(pair: Pair, meeting: Meeting) -> bool:
    one, other = _spent(pair.a, meeting.axis), _spent(pair.b, meeting.axis)
    return abs(one - other) > EQUAL * max(one, other)


def _spent(side: Side, axis: Axis) -> float:
    return side.facts.of(axis) or 0.0


def _pair(
    ends: tuple[float, float], met: tuple[float, float], spent: tuple[float, float],
    axis: Axis = "updates", error: float = 0.01,
) -> Pair:  # fmt: skip
    a, b = (
        Side(n, Facts(spent=((axis, s),))) for n, s in zip(("small", "big"), spent, strict=True)
    )
    at = min(spent)
    return Pair(
        a, b, ends=Meeting("updates", max(spent), *ends, *spent, error),
        meetings=(Meeting(axis, at, *met, at, at, error),), differ=("batch_size 32 / 512",),
    )  # fmt: skip


SICK = (
    # report 4: 23.34 at 43,065 updates against 36.45 at 5,000; there the small one had 42.09
    Example(
        evidence=(_pair((3.150, 3.596), (3.740, 3.596), (43065, 5000)),),
        finds=({"axis": "updates", "end_a": 3.150, "level_a": 3.740, "spent_b": 5000},),
    ),
    Example(
        evidence=(_pair((3.0, 3.3), (3.21, 3.3), (20000, 5000)),),
        finds=({"axis": "updates", "level_a": 3.21},),
    ),
    # the longer run was in the middle of its schedule there
    Example(
        evidence=(
            Pair(
                Side("long", Facts(spent=(("updates", 20000),))),
                Side("short", Facts(spent=(("updates", 5000),))),
                ends=Meeting("updates", 20000, 3.0, 3.3, 20000, 5000),
                meetings=(Meeting("updates", 5000, 3.4, 3.3, 5000, 5000, 0.01, 0.9, 0.0),),
            ),
        ),
        finds=({"left_a": 0.9, "left_b": 0.0},),
    ),
    Example(
        evidence=(_pair((3.0, 3.3), (3.4, 3.3), (7200, 900), axis="seconds"),),
        finds=({"axis": "seconds"},),
    ),
)
HEALTHY = (
    # far more time, and worse at equal time by even more
    Example(evidence=(_pair((3.0, 3.2), (3.0, 3.8), (9400, 83000), axis="seconds"),)),
    # equal budgets; worse at every budget; two seeds, the shorter within its error
    Example(evidence=(_pair((3.0, 3.3), (3.0, 3.3), (5000, 5100)),)),
    Example(evidence=(_pair((3.0, 3.5), (3.05, 3.5), (6000, 5000)),)),
    Example(evidence=(_pair((3.000, 3.005), (3.004, 3.005), (6000, 5000)),)),
    Example(evidence=(Pair(Side("one", Facts()), Side("two", Facts())),)),
)
