"""What a subject is, in words: a run's facts, or what a log holds and what it was taken for."""

from collections.abc import Iterator, Sequence

from shindan.core.finding import Measure, Subject
from shindan.report.numbers import measure
from shindan.report.reasons import told
from shindan.report.terms import rows
from shindan.report.words import Words

NAMED = 3
"""Subjects that a title names."""


def names(subjects: Sequence[Subject]) -> str:
    """The names of the subjects; of many the first ones."""
    named = ", ".join(subject.name for subject in subjects[:NAMED])
    return f"{named}, … ({len(subjects)})" if len(subjects) > NAMED else named


def about(subject: Subject, say: Words) -> tuple[tuple[str, str], ...]:
    """Names and values of everything that is known of the subject."""
    if subject.kind == "run":
        return rows(subject.facts, say.language)
    known = [
        (say(f"fact_{key}"), _value(key, value, say))
        for key, value in subject.facts.items()
        if f"fact_{key}" in say.table
    ]
    went = ((say("fact_course"), told(said, say.language)) for said in subject.course)
    lost = ((say("fact_lost"), told(note, say.language)) for note in subject.notes)
    return (*known, *went, *lost)


def lines(subject: Subject, say: Words) -> Iterator[str]:
    """What a log is, in a few lines: its size and steps, its roles, what is odd, what was lost."""
    facts = subject.facts
    if "rows" not in facts:
        yield say("log_stated")
        return
    form = say("log_format", format=facts.get("format", "?"), n=f"{facts.get('rows', 0):,}")
    if "axis" in facts:
        span = say(
            "log_span",
            unit=say(f"unit_{facts['axis']}"),
            first=measure(facts["first_step"]),
            last=measure(facts["last_step"]),
        )
        yield say("between").join((form, span))
    else:
        yield form
    roles = facts.get("roles", ())
    if isinstance(roles, tuple) and roles:
        yield say("log_roles", roles=", ".join(map(str, roles)))
    for key in ("twice", "missing", "returns", "restarts"):
        if facts.get(key):
            yield say.count(f"log_{key}", int(str(facts[key])))
    for said in subject.course:
        yield told(said, say.language)
    for note in subject.notes:
        yield say("log_lost", what=told(note, say.language))


def _value(key: str, value: Measure, say: Words) -> str:
    if key == "verdict":
        return say(f"verdict_{value}")
    if key == "axis":
        return say(f"unit_{value}")
    if isinstance(value, tuple) and key == "roles":
        return ", ".join(map(str, value))
    return measure(value)
