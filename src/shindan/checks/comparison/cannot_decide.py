"""The numbers there are cannot tell: whether a loss falls, or which of two runs is better.

A log: the 95 % interval of the change (correlation allowed for) holds zero, and a fall of 1 % of
the loss in 100 updates, too; of 8 to 29 losses, that they stand in no order, falling or rising
(Kendall's tau, two-sided 5 %). A line is a poor picture of a curve, and ranks are of a fall that is
over at once: where the phases of the same losses fall or rise beyond slow noise
(``logs/phases.py``), that is the answer. Evaluations that stand in no order and are no more alike
to their neighbours than to others (Bartels 1982) say nothing of what training did. Two runs: at
every budget both were measured at, their difference is within two errors. An error here is the
scatter of the points; that between seeds comes on top.
"""

from collections.abc import Iterator
from dataclasses import replace

from shindan.core.check import Pairing, check
from shindan.core.evidence.gap import Gap, Part
from shindan.core.evidence.pairs import Facts, Meeting, Pair, Side
from shindan.core.evidence.phases import Course, Phase, PhaseKind, Phases, Window
from shindan.core.evidence.trend import Evaluations, FewLosses, Slope
from shindan.core.example import Example
from shindan.core.finding import Finding


@check(
    id="comparison/cannot-decide",
    kind="symptom",
    severity="info",
    grounds="threshold",
    pair=Pairing("seed_1", "seed_2"),
)
def CHECK(window: Window, course: Course | None) -> Iterator[Finding]:
    """A window of losses that is too short for its noise, or longer and as undirected."""
    unclear = course is not None and course.kinds(window.name) == {"unclear"}
    change = window.slope
    slow = window.decides and unclear and change.low <= 0 <= change.high
    if not slow and (window.decides or (course is not None and course.directs(window.name))):
        return
    yield Finding(
        measured={
            "column": window.name,
            "points": window.points,
            "change": change.change,
            "low": change.low,
            "high": change.high,
            "t": change.t,
            **({} if slow else {"needed": round(window.needed)}),
        },
        variant="slow" if slow else "",
    )


@CHECK.also
def of_few(few: FewLosses, course: Course | None) -> Iterator[Finding]:
    """A log of a few losses in no order."""
    if not few.decides and not (course is not None and course.directs(few.series)):
        yield _ranked(few, "few")


@CHECK.also
def of_evaluations(tried: Evaluations, course: Course) -> Iterator[Finding]:
    """Evaluations that scatter about a level while training falls."""
    unclear = course.kinds(tried.series) == {"unclear"}
    if not tried.decides and unclear and course.falls(but=tried.series):
        yield _ranked(tried, "evaluations")


def _ranked(losses: FewLosses | Evaluations, variant: str) -> Finding:
    return Finding(
        measured={
            "column": losses.series,
            "points": losses.points,
            "start": losses.start,
            "end": losses.end,
            "chance": min(1.0, 2 * min(losses.rising, losses.falling)),
        },
        variant=variant,
    )


@CHECK.also
def from_pair(pair: Pair) -> Iterator[Finding]:
    """Two runs whose difference is within its error wherever they meet."""
    if pair.ends is not None and not pair.meetings:
        yield Finding(measured={"run_a": pair.a.name, "run_b": pair.b.name}, variant="apart")
    elif pair.meetings and not any(m.clear for m in pair.meetings) and not _one_run(pair):
        closest = pair.meetings[0]
        yield Finding(
            measured={
                "run_a": pair.a.name,
                "run_b": pair.b.name,
                "axis": closest.axis,
                "at": closest.at,
                "difference": closest.gap,
                "error": closest.error,
            },
            variant="pair",
        )


def _one_run(pair: Pair) -> bool:
    """Are both logs one run's, so that there is nothing to decide?"""
    rest = pair.gap.part("rest") if pair.gap else None
    return rest is not None and rest.how == "equal"


def _window(low: float, high: float, t: float) -> Window:
    slope = Slope((low + high) / 2, low, high, t, t_independent=t)
    return Window("loss", "update", 62, 61.0, 9.15, slope, 0.000915, 74.0)


def _few(falling: float) -> FewLosses:
    return FewLosses("loss", 12, 9.5, 9.1, 1 - falling, falling, 90, 10.7, 7.7)


def _course(kind: PhaseKind, validation: PhaseKind = "falling") -> Course:
    phase = Phase(kind, 1, 62, 62, 11.65, 0.41, -2.0, -2.2, -1.8, 1.2)
    tried = Phase(validation, 1, 62, 15, 0.67, 0.69, 0.0, -0.1, 0.1, 0.74)
    return Course((Phases("loss", "update", 62, (phase,)), Phases("dev", "update", 15, (tried,))))


_TRIED = Evaluations("dev", 15, 0.80, 0.73, 0.8, 0.2, 0.4)


def _pair(*meetings: Meeting) -> Pair:
    ends = Meeting("updates", 1000, 3.2, 3.1, 1000, 900)
    return Pair(Side("one", Facts()), Side("two", Facts()), ends=ends, meetings=meetings)


SICK = (
    Example(evidence=(_window(-0.15, 0.22, 0.37),), finds=({"needed": 74, "points": 62},)),
    Example((_window(-3.56, 0.65, -1.4), _course("unclear")), finds=({"points": 62},)),
    Example(
        evidence=(_pair(Meeting("updates", 1000, 3.21, 3.20, 1000, 1000, 0.01)),),
        finds=({"axis": "updates", "error": 0.01},),
    ),
    # a thousand updates: not by 1 % in a hundred, but nothing else is known
    Example((_window(-0.04, 0.05, 0.2), _course("unclear")), finds=({"low": -0.04},)),
    Example((_TRIED, _course("falling", "unclear")), finds=({"column": "dev", "chance": 0.4},)),
    Example((_few(0.2),), finds=({"points": 12, "chance": 0.4},)),
    Example(evidence=(_pair(),), finds=({"run_a": "one", "run_b": "two"},)),
)
HEALTHY = (
    # evaluations that fall in order; that go up and down like a curve; that stand still
    Example((replace(_TRIED, falling=0.001), _course("falling", "unclear"))),
    Example((replace(_TRIED, alike=0.001), _course("falling", "unclear"))),
    Example((_TRIED, _course("falling", "plateau"))),
    Example((_TRIED, _course("unclear", "unclear"))),
    # a line shows nothing, the course does: it fell at once, and stood since
    Example((_window(-3.56, 0.65, -1.4), _course("falling"))),
    Example((_few(0.2), _course("falling"))),
    # a few losses that fall, in order
    Example((_few(0.01),)),
    # falls; rises; long enough to exclude a fall worth the name
    Example(evidence=(_window(-0.43, -0.20, -5.4),)),
    Example(evidence=(_window(0.04, 0.37, 2.5),)),
    Example(evidence=(_window(-0.04, 0.05, 0.2),)),
    Example((_window(-0.04, 0.05, 0.2), _course("plateau"))),
    # one run and its beginning
    Example(
        evidence=(
            Pair(
                Side("one", Facts()),
                Side("its beginning", Facts()),
                ends=Meeting("updates", 1000, 3.2, 3.3, 1000, 900),
                meetings=(Meeting("updates", 900, 3.3, 3.3, 900, 900, 0.01),),
                gap=Gap(-0.1, 0.01, (Part(("budget",), -0.1), Part(("rest",), 0.0, how="equal"))),
            ),
        ),
    ),
    # two runs that differ where they meet; per different tokens (another finding)
    Example(evidence=(Pair(Side("one", Facts()), Side("two", Facts())),)),
    Example(evidence=(_pair(Meeting("updates", 1000, 3.41, 3.20, 1000, 1000, 0.01)),)),
)
