"""A log's losses -> what they went through, what they may come to, and that in sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.logs import LogColumns
from shindan.core.evidence.phases import AtLine, Course, Forecast, Phases, Reach, Window
from shindan.core.evidence.trend import FewLosses
from shindan.core.finding import Measure
from shindan.core.reason import Reason
from shindan.logs.forecast import forecast, reach
from shindan.logs.judged import Judged, named, points
from shindan.logs.knownlines import at_lines, few_at_line
from shindan.logs.phases import phases
from shindan.logs.roles import setting
from shindan.logs.trends import Array
from shindan.logs.window import window

SERIES = ("loss", "validation")
TOLD = 8
"""Phases of one series that are told one by one."""
Values = dict[str, int | float | str]
LASTING = 0.1
"""A way out is told when what it ended had lasted this share of the log's steps."""


@dataclass(frozen=True)
class Wanted:
    """What a person wants to know of the losses: lines to compare with, and of the future.

    ``vocabularies`` are sizes, ``unigram`` nats; ``further`` steps (in the log's own unit) to
    forecast, ``target`` a loss that it may fall to.
    """

    vocabularies: tuple[int, ...] = ()
    unigram: float | None = None
    further: float | None = None
    target: float | None = None


NOTHING = Wanted()


@dataclass(frozen=True)
class Went:
    """The course of one log: evidence by type, sentences, and its phases as plain numbers."""

    evidence: Mapping[type[Evidence], Evidence] = field(default_factory=dict)
    sentences: tuple[Reason, ...] = ()
    facts: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """When the series will have come to what was asked."""
        told = self.evidence.get(Course)
        return told.reaches if isinstance(told, Course) else ()


def course(log: Judged, wanted: Wanted) -> Went:
    """What the losses of a log went through; nothing where its loss is no cross entropy."""
    columns = log.evidence.get(LogColumns)
    if not isinstance(columns, LogColumns) or columns.objective != "language":
        return Went()
    with np.errstate(all="ignore"):  # numbers of 1e300 in a broken log are no error of ours
        return _course(log, wanted)


def _course(log: Judged, wanted: Wanted) -> Went:
    found: list[Evidence] = []
    told = Course(())
    for role in SERIES:
        x, y = points(log.table, log.roles, log.axis, role)
        judged = phases(named(log.roles, role), log.axis.unit, x, y) if len(y) else None
        if judged is not None:
            told = _with(told, judged, log, x, y, wanted)
        elif role == "loss" and (stand := _few(log, x, y, wanted)) is not None:
            told = replace(told, stands=(stand,))
    x, y = points(log.table, log.roles, log.axis, "loss")
    if log.axis.unit in ("step", "update", "row") and len(y):
        seen = window(named(log.roles, "loss"), log.axis.unit, x, y, log.axis.progress.per_update)
        found += [seen] if seen is not None else []
        told = _as_seen(told, seen, log.evidence.get(FewLosses))
    if told.series or told.stands:
        found.append(told)
    return Went({type(e): e for e in found}, tuple(sentences(told)), _facts(told))


def _as_seen(told: Course, seen: Window | None, few: Evidence | None) -> Course:
    """Losses that may fall by what matters do not stand still: no direction is told of them."""
    name = None
    if seen is not None:
        name = None if seen.decides else seen.name
    elif isinstance(few, FewLosses):
        name = None if few.decides else few.series
    return replace(told, series=tuple(_unclear(s) if s.name == name else s for s in told.series))


def _unclear(series: Phases) -> Phases:
    if series.directed:
        return series
    return replace(series, phases=tuple(replace(p, kind="unclear") for p in series.phases))


def _few(log: Judged, x: Array, y: Array, wanted: Wanted) -> AtLine | None:
    good = np.isfinite(y)
    if good.sum() < 2:
        return None
    at, values = x[good].tolist(), y[good].tolist()
    return few_at_line(
        named(log.roles, "loss"), log.axis.unit, at, values, _vocabularies(log, wanted)
    )


def _vocabularies(log: Judged, wanted: Wanted) -> tuple[int, ...]:
    """Sizes a person gave, or the log's own."""
    stated = setting(log.table, "vocabulary")
    return wanted.vocabularies or ((round(stated[1]),) if stated else ())


def _with(told: Course, judged: Phases, log: Judged, x: Array, y: Array, wanted: Wanted) -> Course:
    sizes = _vocabularies(log, wanted)
    _, lr = points(log.table, log.roles, log.axis, "lr")
    forecasts, reaches = told.forecasts, told.reaches
    if wanted.further is not None:
        end = float(x[np.isfinite(x)].max())
        forecasts = (*forecasts, forecast(judged, x, y, end + wanted.further, lr))
    if wanted.target is not None:
        reaches = (*reaches, reach(judged, x, y, wanted.target, lr))
    stands = tuple(at_lines(judged, sizes, wanted.unigram))
    return Course((*told.series, judged), (*told.stands, *stands), forecasts, reaches)


def sentences(told: Course) -> Iterator[Reason]:
    """The course in words: phases, ways out of plateaus, known lines, and what was asked."""
    for series in told.series:
        yield from _phases(series)
    yield from (_line(stand) for stand in told.stands)
    yield from (_forecast(made) for made in told.forecasts)
    yield from (sentence(made) for made in told.reaches)


def _phases(series: Phases) -> Iterator[Reason]:
    whole = series.phases[-1].last - series.phases[0].first
    for phase in series.phases[:TOLD]:
        values: Values = {
            "name": series.name,
            "first": phase.first,
            "last": phase.last,
            "start": phase.start,
            "end": phase.end,
            "level": phase.level,
        }
        if phase.kind == "falling":
            yield Reason("course-falling", values)
        elif phase.kind == "rising":
            yield Reason("course-rising", values)
        elif phase.kind == "plateau":
            yield Reason("course-plateau", values)
        else:
            yield Reason("course-unclear", values)
    if len(series.phases) > TOLD:
        yield Reason("course-more", {"name": series.name, "n": len(series.phases) - TOLD})
    lasting = [w for w in series.ways_out if w[0].last - w[0].first >= LASTING * whole]
    for before, after in lasting[:1]:
        yield Reason(
            "course-way-out",
            {"name": series.name, "at": after.first, "before": before.doubling,
             "after": after.doubling},
        )  # fmt: skip


def _step(value: float) -> float:
    """A step as it is told: the estimate of one is no fraction where steps are many."""
    return float(round(value)) if value >= 100 else round(value, 1)


def _line(stand: AtLine) -> Reason:
    values: Values = {"name": stand.name, "first": stand.first, "last": stand.last,
              "level": stand.level, "at": stand.at}  # fmt: skip
    if stand.line == "unigram":
        return Reason("course-unigram", values)
    sizes = ", ".join(map(str, stand.vocabularies[:3]))
    return Reason("course-uniform", {**values, "vocabulary": sizes})


def _forecast(made: Forecast) -> Reason:
    if made.refusal is not None:
        return made.refusal
    return Reason(
        "course-forecast",
        {"name": made.name, "at": made.at, "level": made.level, "value": made.value,
         "low": made.low, "high": made.high, "wanted": made.wanted, "origins": made.origins},
    )  # fmt: skip


def sentence(made: Reach) -> Reason:
    """When a series will have come to a value, in words."""
    if made.refusal is not None:
        return made.refusal
    values: Values = {"name": made.name, "target": made.target, "until": _step(made.until)}
    first, last = (_step(step or made.until) for step in (made.first, made.last))
    if made.answer == "already":
        return Reason("course-reached", values)
    if made.answer == "yes":
        return Reason("course-will-reach", {**values, "first": first, "last": last})
    if made.answer == "open":
        return Reason("course-may-reach", {**values, "first": first})
    return Reason("course-no-reach", values)


def _facts(told: Course) -> dict[str, Measure]:
    """Phases: kind, first and last step, level at the start and the end. Forecasts: step, value,
    the interval's ends, how many forecasts of the past it comes from, the share it held of them.
    """
    made: dict[str, Measure] = {}
    for series in told.series:
        for i, phase in enumerate(series.phases, 1):
            place = (phase.first, phase.last, phase.start, phase.end)
            made[f"{series.name} phase {i}"] = (phase.kind, *place)
    for f in told.forecasts:
        if f.refusal is None:
            made[f"{f.name} forecast"] = (f.at, f.value, f.low, f.high, f.origins, f.held)
    return made
