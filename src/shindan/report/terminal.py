"""The report on a terminal: verdict first, then causes, risks, symptoms, and what to change."""

from collections.abc import Iterable, Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from shindan.core.evidence.pairs import Comparison
from shindan.core.finding import Subject
from shindan.core.text import Language
from shindan.report import about
from shindan.report.boards import boards
from shindan.report.outline import Change, Entry, Outline, outline
from shindan.report.prose import Prose, first_sentence
from shindan.report.view import View
from shindan.report.words import Words, words
from shindan.report.wrap import wrap

LABEL = 10
NUMBER = 4
WIDEST = 100
REASONS = 3
STYLES = {
    "sick": "bold red",
    "healthy": "bold green",
    "inconclusive": "bold yellow",
    "critical": "bold red",
    "major": "red",
    "minor": "yellow",
    "info": "blue",
}


def render(view: View, language: Language, console: Console) -> None:
    """Print the report; a healthy run gets a quiet line or two."""
    say = words(language)
    report = outline(view, language)
    width = min(console.width, WIDEST)
    comparison = view.get(Comparison)
    parts = list(_report(report, say, width, comparison, about.files(view.document, say)))
    console.print(Group(*parts), width=width, highlight=False)


def found(report: Outline, say: Words) -> str:
    """ "2 causes, 1 risk, 2 symptoms", leaving out what there is none of."""
    counts = (("causes", report.causes), ("risks", report.risks), ("symptoms", report.symptoms))
    comma = "、" if say.language == "ja" else ", "
    return comma.join(say.count(key, len(entries)) for key, entries in counts if entries)


def headline(report: Outline, say: Words) -> str:
    """The verdict in a sentence or two."""
    of = "says_compared" if report.compared else "says"
    told = say(f"{of}_{report.verdict}", found=found(report, say))
    if report.verdict == "sick" or not report.entries:
        return told
    gap = "" if say.language == "ja" else " "
    return told + gap + say("also_found", found=found(report, say))


def not_run(report: Outline, say: Words) -> str:
    """How many checks could not be run and the commonest reasons, or the empty string."""
    if not report.not_run:
        return ""
    told = [say("reason", why=r.because, n=len(r.ids)) for r in report.reasons[:REASONS]]
    rest = sum(len(r.ids) for r in report.reasons[REASONS:])
    if rest:
        told.append(say("other_reasons", n=rest))
    return say(
        "not_run_why", count=say.count("not_run", report.not_run), why=say("between").join(told)
    )


def _report(
    report: Outline,
    say: Words,
    width: int,
    comparison: Comparison | None,
    files: Mapping[int, tuple[str, ...]],
) -> Iterable[RenderableType]:
    named = about.names(report.subjects)
    title = Text(f"Shindan · {named}\n" if named else "Shindan\n", style="dim")
    title.append(headline(report, say), style=f"not dim {STYLES[report.verdict]}")
    yield wrap(title, width)
    logs = [subject for subject in report.subjects if subject.kind == "log"]
    if report.entries or logs:
        yield ""
    if logs:
        yield _heading(say("section_logs"))
    for index, log in enumerate(logs):
        if index in files:
            yield wrap(Text(" ".join(files[index]) + "\n"), width)
        yield _log(log, say, width, logs[index - 1] if index else None)
    if comparison is not None:
        yield from _side_by_side(comparison, say, width)
    number = 0
    for section in ("causes", "risks", "symptoms"):
        entries: tuple[Entry, ...] = getattr(report, section)
        if entries:
            yield _heading(say(f"section_{section}"))
        for entry in entries:
            number += 1
            yield _entry(number, entry, say, width)
    if report.changes:
        yield _heading(say("section_changes"))
        yield from (_change(n, change, width) for n, change in enumerate(report.changes, 1))
    yield from _ending(report, say, width)


def _side_by_side(comparison: Comparison, say: Words, width: int) -> Iterable[RenderableType]:
    for board in boards(comparison, say):
        if board.wide:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("", style="dim", overflow="fold")
        for name in board.names:
            table.add_column(name, overflow="fold")
        for name, cells in board.rows:
            table.add_row(name, *cells)
        yield _heading(board.title)
        yield table
        for note in board.notes:
            yield wrap(_inline(note, "dim"), width)
        yield ""


def _log(log: Subject, say: Words, width: int, before: Subject | None) -> RenderableType:
    """What one log is, and its verdict."""
    title = Text(log.name, style="bold")
    verdict = log.facts.get("verdict")
    if verdict is not None:
        title.append(f"  {say(f'verdict_{verdict}')}", style=STYLES[str(verdict)])
    told = [wrap(Text(line, style="dim"), width) for line in about.lines(log, say, before)]
    return Group(wrap(title, width), *told, "")


def _heading(text: str) -> RenderableType:
    return Text(text, style="bold underline")


def _entry(number: int, entry: Entry, say: Words, width: int) -> RenderableType:
    inner = width - NUMBER
    severity = entry.finding.severity
    title = Text(f"[{say(f'severity_{severity}')}] ", style=STYLES[severity])
    title.append_text(_inline(entry.wording.title, "bold default"))
    parts: list[RenderableType] = [wrap(title, inner), Text(entry.finding.id, style="dim")]
    if entry.wording.message:
        parts.append(Prose(entry.wording.message))
    parts += [_facts(entry, say, inner), ""]
    return _numbered(number, Group(*parts), inner)


def _numbered(number: int, content: RenderableType, width: int) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=NUMBER - 1, style="bold", no_wrap=True)
    table.add_column(width=width)
    table.add_row(f"{number}.", content)
    return table


def _facts(entry: Entry, say: Words, width: int) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=LABEL, style="dim", no_wrap=True)
    table.add_column(width=width - LABEL - 1)
    for label, value in _labelled(entry, say, width - LABEL - 1):
        table.add_row(say(label), value)
    return table


def _labelled(entry: Entry, say: Words, width: int) -> Iterable[tuple[str, RenderableType]]:
    """Label and value of each fact there is, in reading order."""
    wording = entry.wording
    if entry.subject:
        yield "label_run", wrap(Text(entry.subject), width)
    if entry.place or entry.finding.where.module:
        yield "label_where", _where(entry, say, width)
    if entry.unsaid:
        told = " · ".join(say("measured", name=n, value=v) for n, v in entry.unsaid)
        yield "label_measured", wrap(Text(told), width)
    if entry.links:
        explains = entry.finding.kind != "symptom"
        told = "\n".join(ref.title for ref in entry.links)
        yield "label_explains" if explains else "label_explained_by", wrap(_inline(told), width)
    if entry.unexplained:
        yield "label_explained_by", wrap(Text(say("unexplained"), style="yellow"), width)
    if wording.fix:
        yield "label_next" if entry.finding.kind == "symptom" else "label_fix", Prose(wording.fix)
    if wording.verify and entry.finding.kind != "symptom":
        yield "label_verify", Prose(wording.verify)


def _where(entry: Entry, say: Words, width: int) -> RenderableType:
    module = entry.finding.where.module
    parts = [entry.place, say("label_module", module=module) if module else ""]
    place = wrap(Text(" · ".join(p for p in parts if p), style="cyan"), width)
    if not entry.source_line:
        return place
    source = Text(f"  {entry.source_line}", no_wrap=True, overflow="ellipsis", style="bold")
    return Group(place, source)


def _change(number: int, change: Change, width: int) -> RenderableType:
    places = ", ".join(dict.fromkeys(e.place for e in change.entries if e.place))
    text = Text(f"{places}  " if places else "", style="cyan")
    text.append_text(_inline(first_sentence(change.fix).rstrip(":：")))
    return _numbered(number, wrap(text, width - NUMBER), width - NUMBER)


def _ending(report: Outline, say: Words, width: int) -> Iterable[RenderableType]:
    told = not_run(report, say)
    if told:
        if report.changes:
            yield ""
        yield wrap(Text(told, style="dim"), width)
    if report.failed:
        yield wrap(Text(say("failed", n=len(report.failed)), style="red"), width)
        for failure in report.failed:
            yield wrap(Text(f"  {failure.what}: {failure.error}", style="red"), width)


def _inline(text: str, style: str = "default") -> Text:
    """One line of a message, its `code` told apart by style."""
    told = Text()
    for i, part in enumerate(text.split("`")):
        told.append(part, style="cyan" if i % 2 else style)
    return told
