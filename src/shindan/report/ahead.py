"""What a log's losses may come to, and the lines they stood at, for its chart."""

from shindan.core.evidence.phases import Course
from shindan.report.chart import Line, Rule
from shindan.report.words import Words


def forecasts(course: Course | None, say: Words) -> tuple[Line, ...]:
    """From where a series is to where it will be, and the ends of the interval there."""
    made = [f for f in course.forecasts if f.refusal is None] if course else []
    ways = tuple(
        Line(say("line_forecast", name=f.name), ((f.now, f.level), (f.at, f.value)), dots=True)
        for f in made
    )
    ends = tuple(
        Line(say("line_interval", name=f.name), ((f.at, f.low), (f.at, f.high)), dots=True)
        for f in made
    )
    return (*ways, *ends)


def stood(course: Course | None, say: Words) -> tuple[Rule, ...]:
    """The losses of models that know little, where the log stood at one."""
    stands = {(s.line, s.at) for s in course.stands} if course else set()
    return tuple(Rule(say(f"rule_{line}"), at) for line, at in sorted(stands))
