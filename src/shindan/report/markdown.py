"""The report as Markdown, for an issue or a pull request."""

from collections.abc import Iterable, Iterator
from textwrap import indent

from shindan.core.evidence.pairs import Comparison
from shindan.core.finding import Subject
from shindan.core.text import Language
from shindan.report.about import files, lines, names
from shindan.report.board import Board
from shindan.report.boards import boards
from shindan.report.outline import Change, Entry, outline
from shindan.report.terminal import headline, not_run
from shindan.report.view import View
from shindan.report.words import Words, words


def render(view: View, language: Language) -> str:
    """The whole report."""
    say = words(language)
    report = outline(view, language)
    parts = [f"# {say('page_title', names=names(report.subjects))}", f"**{headline(report, say)}**"]
    logs = [subject for subject in report.subjects if subject.kind == "log"]
    if logs:
        parts.append(f"## {say('section_logs')}")
        held = files(view.document, say)
        before = (None, *logs)
        told = (
            (*held.get(i, ()), "" if i in held else None, _log(log, say, before[i]))
            for i, log in enumerate(logs)
        )
        parts.append("\n".join(line for lines in told for line in lines if line is not None))
    comparison = view.get(Comparison)
    if comparison is not None:
        for board in boards(comparison, say):
            parts += [f"## {board.title}", _board(board)]
    for section in ("causes", "risks", "symptoms"):
        entries: tuple[Entry, ...] = getattr(report, section)
        if entries:
            parts.append(f"## {say(f'section_{section}')}")
        for entry in entries:
            parts += _entry(entry, say)
    if report.changes:
        parts.append(f"## {say('section_changes')}")
        parts.append("\n".join(_change(n, c) for n, c in enumerate(report.changes, 1)))
    if report.not_run:
        parts.append(not_run(report, say))
    if report.failed:
        parts.append(say("failed", n=len(report.failed)))
        parts.append("\n".join(f"- {f.what}: `{f.error}`" for f in report.failed))
    return "\n\n".join(part for part in parts if part) + "\n"


def _board(board: Board) -> str:
    head = [f"| | {' | '.join(map(_cell, board.names))} |", "|---" * (len(board.names) + 1) + "|"]
    rows = (f"| {_cell(name)} | {' | '.join(map(_cell, cells))} |" for name, cells in board.rows)
    told = "\n".join([*head, *rows])
    notes = "\n".join(f"- {note}" for note in board.notes)
    return f"{told}\n\n{notes}" if notes else told


def _log(log: Subject, say: Words, before: Subject | None) -> str:
    """One log as an item of a list."""
    verdict = log.facts.get("verdict")
    judged = f" **{say(f'verdict_{verdict}')}**" if verdict else ""
    told = "\n".join(f"  - {line}" for line in lines(log, say, before))
    return f"- `{log.name}`{judged}\n{told}"


def _entry(entry: Entry, say: Words) -> Iterator[str]:
    finding, wording = entry.finding, entry.wording
    yield f"### {wording.title}"
    facts = [f"**{say(f'severity_{finding.severity}')}**", f"`{finding.id}`", entry.subject]
    if entry.place:
        facts.append(f"`{entry.place}`")
    if finding.where.module:
        facts.append(say("label_module", module=f"`{finding.where.module}`"))
    yield " · ".join(fact for fact in facts if fact)
    yield wording.message
    if entry.source_line:
        language = "python" if (finding.where.file or "").endswith(".py") else "text"
        yield f"```{language}\n{entry.source_line}\n```"
    if entry.unsaid:
        yield _table(entry.unsaid, say)
    if entry.links:
        label = "label_explained_by" if finding.kind == "symptom" else "label_explains"
        yield f"**{say(label)}**: {'; '.join(ref.title for ref in entry.links)}"
    elif entry.unexplained:
        yield f"**{say('unexplained')}**"
    if wording.fix:
        yield f"**{say('next' if finding.kind == 'symptom' else 'fix')}**: {wording.fix}"
    if wording.verify and finding.kind != "symptom":
        yield f"**{say('verify')}**: {wording.verify}"


def _table(rows: Iterable[tuple[str, str]], say: Words) -> str:
    head = [f"| {say('col_name')} | {say('col_value')} |", "|---|---|"]
    return "\n".join(head + [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows])


def _cell(text: str) -> str:
    """Text that stays in its cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def _change(number: int, change: Change) -> str:
    places = ", ".join(dict.fromkeys(f"`{e.place}`" for e in change.entries if e.place))
    text = f"{places}: {change.fix}" if places else change.fix
    lead = f"{number}. "
    return lead + indent(text, " " * len(lead)).lstrip()
