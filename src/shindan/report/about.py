"""What a subject is, in words: a run's facts, or what a log holds and what it was taken for."""

from collections.abc import Iterator, Mapping, Sequence

from shindan.core.document import Document
from shindan.core.finding import SEVERITIES, Measure, Subject
from shindan.report.numbers import measure
from shindan.report.reasons import told
from shindan.report.terms import rows
from shindan.report.words import Words

NAMED = 3
"""Subjects that a title names."""
MANY = 10
"""Runs judged of one file; of more, what a healthy one went through is not told line by line."""


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


def file_of(subject: Subject) -> tuple[str | None, str] | None:
    """The log that holds the subject beside other runs; None where it holds the subject alone."""
    if "runs" not in subject.facts:
        return None
    return subject.record, subject.name.removesuffix(f" #{subject.facts['run']}")


def files(document: Document, say: Words) -> Mapping[int, tuple[str, ...]]:
    """What is said of a file that holds several runs, by the index of its first subject."""
    held: dict[tuple[str | None, str], list[int]] = {}
    for index, subject in enumerate(document.subjects):
        file = file_of(subject)
        if file is not None:
            held.setdefault(file, []).append(index)
    worst: dict[int, int] = {}
    for f in document.findings:
        grade = SEVERITIES.index(f.severity)
        worst[f.subject] = min(worst.get(f.subject, grade), grade)
    return {
        indices[0]: tuple(
            _file([(document.subjects[i], worst.get(i, len(SEVERITIES))) for i in indices], say)
        )
        for indices in held.values()
    }


def _file(runs: Sequence[tuple[Subject, int]], say: Words) -> Iterator[str]:
    """How many runs a file holds, in which of them something was found, which were too short."""
    first = runs[0][0].facts
    if len(runs) > 1:
        name = runs[0][0].name.removesuffix(f" #{first['run']}")
        yield say("log_runs", name=name, n=first["runs"])
        found = [
            f"#{subject.facts['run']} ({say(f'severity_{SEVERITIES[at]}')})"
            for subject, at in runs
            if at < SEVERITIES.index("info")
        ]
        comma = "、" if say.language == "ja" else ", "
        yield say("log_runs_found", found=comma.join(found)) if found else say("log_runs_clean")
    short = first.get("short_runs", ())
    if isinstance(short, tuple) and short:
        told = ", ".join(f"#{number}" for number in short)
        yield say("log_short_one" if len(short) == 1 else "log_short", n=len(short), runs=told)


def lines(subject: Subject, say: Words, before: Subject | None = None) -> Iterator[str]:
    """What a log is, in a few lines: its size and steps, its roles, what is odd, what was lost.

    Of two runs of one file whose columns mean the same, the one ``before`` tells them.
    """
    facts = subject.facts
    if "rows" not in facts:
        yield say("log_stated")
        return
    parts = [say("log_format", format=facts.get("format", "?"), n=f"{facts.get('rows', 0):,}")]
    if "axis" in facts:
        parts.append(
            say(
                "log_span",
                unit=say(f"unit_{facts['axis']}"),
                first=measure(facts["first_step"]),
                last=measure(facts["last_step"]),
            )
        )
    if "from_line" in facts:
        parts.append(say("log_from", line=facts["from_line"]))
    yield say("between").join(parts)
    roles = facts.get("roles", ())
    again = (
        before is not None
        and file_of(subject) is not None
        and file_of(before) == file_of(subject)
        and before.facts.get("roles") == roles
    )
    if isinstance(roles, tuple) and roles and not again:
        yield say("log_roles", roles=", ".join(map(str, roles)))
    for key in ("twice", "missing", "returns", "restarts", "passes"):
        if facts.get(key):
            yield say.count(f"log_{key}", int(str(facts[key])))
    if not (_one_of_many(facts) and facts.get("verdict") == "healthy"):
        yield from (told(said, say.language) for said in subject.course)
    for note in subject.notes:
        yield say("log_lost", what=told(note, say.language))


def _one_of_many(facts: Mapping[str, Measure]) -> bool:
    short = facts.get("short_runs", ())
    judged = int(str(facts.get("runs", 1))) - (len(short) if isinstance(short, tuple) else 0)
    return judged > MANY


def _value(key: str, value: Measure, say: Words) -> str:
    if key == "verdict":
        return say(f"verdict_{value}")
    if key == "axis":
        return say(f"unit_{value}")
    if isinstance(value, tuple) and key == "roles":
        return ", ".join(map(str, value))
    return measure(value)
