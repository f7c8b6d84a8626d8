"""A report before it is drawn: what is told, in which order, and what belongs together."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shindan.core.document import Verdict
from shindan.core.evidence.pairs import Comparison
from shindan.core.finding import Diagnosed, Failure, Kind, NotRun, Subject
from shindan.core.text import Language
from shindan.report.about import file_of
from shindan.report.reasons import told
from shindan.report.telling import Wording, word
from shindan.report.view import SourceLine, View
from shindan.report.words import words


@dataclass(frozen=True)
class Ref:
    """Another finding of the same report."""

    title: str
    anchor: str


@dataclass(frozen=True)
class Entry:
    """A finding as the report tells it.

    ``links`` are the symptoms a cause explains, or the causes that explain a symptom;
    ``subject`` names the run when the report has several; ``unsaid`` are the measured numbers
    the message does not tell.
    """

    finding: Diagnosed
    wording: Wording
    anchor: str
    place: str
    excerpt: tuple[SourceLine, ...]
    subject: str
    links: tuple[Ref, ...]
    measured: tuple[tuple[str, str], ...]
    unsaid: tuple[tuple[str, str], ...]

    @property
    def source_line(self) -> str:
        """The line of source the finding names."""
        return next((line.text.strip() for line in self.excerpt if line.here), "")

    @property
    def unexplained(self) -> bool:
        """True for a symptom that no cause found here explains."""
        return self.finding.kind == "symptom" and not self.links


@dataclass(frozen=True)
class Change:
    """One thing to change; findings that ask for the same are gathered."""

    fix: str
    verify: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Unable:
    """Why some checks could not be run."""

    because: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """A failure of Shindan's own in words."""

    what: str
    error: str


@dataclass(frozen=True)
class Outline:
    """The whole report, in order."""

    verdict: Verdict
    subjects: tuple[Subject, ...]
    causes: tuple[Entry, ...]
    risks: tuple[Entry, ...]
    symptoms: tuple[Entry, ...]
    changes: tuple[Change, ...]
    reasons: tuple[Unable, ...]
    failed: tuple[Broken, ...]
    compared: bool = False
    """Whether it is of runs held against each other, and the verdict of that."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All findings, in report order."""
        return self.causes + self.risks + self.symptoms

    @property
    def not_run(self) -> int:
        """How many checks could not be run."""
        return sum(len(reason.ids) for reason in self.reasons)


def outline(view: View, language: Language, prefix: str = "", every: bool = False) -> Outline:
    """Put the view's document into words; ``prefix`` keeps anchors apart on a shared page.

    What was found alike in several runs of one file is told once, unless ``every`` finding is
    wanted.
    """
    document = view.document
    worded = [(f, word(f, language), f"{prefix}f{i}") for i, f in enumerate(document.findings, 1)]
    refs = [(f, Ref(wording.title, anchor)) for f, wording, anchor in worded]
    entries = [
        Entry(
            finding=finding,
            wording=wording,
            anchor=anchor,
            place=view.place(finding.where),
            excerpt=view.excerpt(finding.where),
            subject=_subject(document.subjects, finding),
            links=_links(finding, refs),
            measured=wording.measured,
            unsaid=wording.unsaid,
        )
        for finding, wording, anchor in worded
    ]
    if not every:
        entries = _folded(entries, document.subjects, language)
    return Outline(
        verdict=document.verdict,
        subjects=document.subjects,
        causes=_of_kind(entries, "cause"),
        risks=_of_kind(entries, "risk"),
        symptoms=_of_kind(entries, "symptom"),
        changes=_changes(entries),
        reasons=_reasons(document.not_run, language),
        failed=tuple(_broken(f, language) for f in document.failed),
        compared=view.get(Comparison) is not None,
    )


def _folded(
    entries: Iterable[Entry], subjects: tuple[Subject, ...], language: Language
) -> list[Entry]:
    """Of the runs of one file that show the same, the first one's entry, which names the others."""
    alike: dict[tuple[object, ...], list[Entry]] = {}
    seen: Counter[tuple[object, ...]] = Counter()
    for entry in entries:
        f = entry.finding
        file = file_of(subjects[f.subject]) if f.subject < len(subjects) else None
        same = (file or f.subject, f.id, f.severity, f.variant)
        seen[*same, f.subject] += 1  # of several in one run the first, the second ...
        alike.setdefault((*same, seen[*same, f.subject]), []).append(entry)
    return [_likewise(same, subjects, language) for same in alike.values()]


def _likewise(same: list[Entry], subjects: tuple[Subject, ...], language: Language) -> Entry:
    first = same[0]
    if len(same) == 1:
        return first
    others = ", ".join(f"#{subjects[e.finding.subject].facts['run']}" for e in same[1:])
    told = words(language)("run_likewise", first=first.subject, others=others)
    return replace(first, subject=told)


def _of_kind(entries: Iterable[Entry], kind: Kind) -> tuple[Entry, ...]:
    return tuple(e for e in entries if e.finding.kind == kind)


def _subject(subjects: tuple[Subject, ...], finding: Diagnosed) -> str:
    several = len(subjects) > 1 and finding.subject < len(subjects)
    return subjects[finding.subject].name if several else ""


def _links(finding: Diagnosed, refs: Iterable[tuple[Diagnosed, Ref]]) -> tuple[Ref, ...]:
    """What the finding explains or is explained by; of equal titles the first."""
    found: dict[str, Ref] = {}
    for other, ref in refs:
        if _linked(finding, other):
            found.setdefault(ref.title, ref)
    return tuple(found.values())


def _linked(one: Diagnosed, other: Diagnosed) -> bool:
    """Whether one of the two is a cause that explains the other, a symptom of the same run."""
    cause, symptom = (one, other) if other.kind == "symptom" else (other, one)
    return (
        cause.kind != "symptom"
        and symptom.kind == "symptom"
        and cause.subject == symptom.subject
        and symptom.id in cause.explains
    )


def _changes(entries: Iterable[Entry]) -> tuple[Change, ...]:
    """Causes first, then risks; what is merely worth knowing asks for no change."""
    gathered: dict[str, list[Entry]] = {}
    for entry in entries:
        asks = entry.finding.kind != "symptom" and entry.finding.severity != "info"
        if asks and entry.wording.fix:
            gathered.setdefault(entry.wording.fix, []).append(entry)
    return tuple(Change(fix, same[0].wording.verify, tuple(same)) for fix, same in gathered.items())


def _reasons(skipped: Iterable[NotRun], language: Language) -> tuple[Unable, ...]:
    """The checks not run, by reason, the commonest first."""
    gathered: dict[str, dict[str, None]] = {}
    for check in skipped:
        gathered.setdefault(told(check.because, language), {})[check.id] = None
    reasons = [Unable(because, tuple(ids)) for because, ids in gathered.items()]
    return tuple(sorted(reasons, key=lambda reason: -len(reason.ids)))


def _broken(failure: Failure, language: Language) -> Broken:
    """Parts of Shindan by their names; what was tapped (``optimizer.step``) stays as it is."""
    say = words(language)
    part, _, name = failure.what.partition(" ")
    known = f"what_{part}" in say.table
    what = say(f"what_{part}", name=name) if known else failure.what
    return Broken(what, told(failure.error, language))
