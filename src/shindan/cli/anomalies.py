"""``shindan anomalies``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shindan.cli.training import language_option, refusals_told, spoken, words
from shindan.core.text import Language

if TYPE_CHECKING:
    from rich.table import Table

    from shindan.reference.recipes.anomalies import Judged, LogRun, Suspect

WIDEST = 60
"""Characters of a key that are shown."""


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("logfile", metavar="LOGFILE")
@click.option("--top", default=20, show_default=True, type=click.IntRange(0), help="Sessions told.")
@click.option(
    "--json", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write all as JSON."
)
@language_option
@refusals_told
def anomalies(run: str, logfile: str, top: int, file: str | None, lang: str | None) -> None:
    """Tell which sessions of LOGFILE the LogBERT of RUN finds anomalous, by which line, and why.

    LOGFILE is of the kind the run was trained on: lines of a log, or sessions of keys. The most
    surprising sessions come first.
    """
    from rich.console import Console

    from shindan.reference.recipes.anomalies import as_json, judged, opened

    language = spoken(lang)
    with _Progress(language) as tell:
        asked = opened(Path(run), tell=tell)
        found = judged(asked, asked.cutting.sessions(logfile), tell)
    if file is not None:
        _write(Path(file), as_json(asked, found))
    anomalous = [one for one in found if one.anomalous]
    anomalous.sort(key=lambda one: -one.scores.surprise)
    if anomalous and top:
        texts = asked.cutting.texts(logfile)
        Console().print(_table(asked, anomalous[:top], texts, language))
    _tell_counts(asked, found, top, language)


class _Progress:
    """A bar on standard error, where that is a terminal."""

    def __init__(self, language: Language) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self.progress = Progress(console=console, disable=not console.is_terminal, transient=True)
        self.bar = self.progress.add_task(words(language)["reading_keys"], total=None)

    def __enter__(self) -> Callable[[int, int], None]:
        self.progress.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def tell(self, done: int, total: int) -> None:
        """So many keys have been asked."""
        self.progress.update(self.bar, completed=done, total=total)


def _write(path: Path, content: dict[str, object]) -> None:
    from shindan.reference.train.errors import TrainError

    try:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainError("not-writable", path=path, error=error.strerror) from error


def _table(
    run: "LogRun", found: "list[Judged]", texts: dict[int, str], language: Language
) -> "Table":
    """A session a row, with its most surprising line, or key where there are no lines."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from shindan.reference.recipes.log_sources import END

    said = words(language)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("session", "line", "key", "surprise", "why"):
        number = name in ("line", "surprise")
        table.add_column(said[name], justify="right" if number else "left", overflow="fold")
    for one in found:
        suspect = one.suspects[0]
        line = "" if suspect.line is None else str(suspect.line)
        key = suspect.key if suspect.key == END else texts.get(suspect.line or 0, suspect.key)
        name = one.session.name or said["session_number"].format(n=one.number)
        cells = (name, line, _key(key, language), f"{suspect.surprise:.1f}")
        table.add_row(*map(Text, (*cells, _why(run, one, suspect, language))))
    return table


def _why(run: "LogRun", one: "Judged", suspect: "Suspect", language: Language) -> str:
    """What speaks against the session, in words."""
    said = words(language)
    limits = run.limits
    if not suspect.seen:
        why = said["why_unseen"]
    elif "surprise" in one.rules or "top" in one.rules:
        why = said["why_unexpected"].format(
            rank=suspect.rank, expected=_key(suspect.expected, language)
        )
    else:
        why = said["why_far"].format(distance=one.scores.distance, radius=limits.radius)
    return why


def _key(key: str, language: Language) -> str:
    from shindan.reference.recipes.log_sources import END

    if key == END:
        return words(language)["end_of_session"]
    return key if len(key) <= WIDEST else f"{key[: WIDEST - 1]}…"


def _tell_counts(run: "LogRun", found: "list[Judged]", top: int, language: Language) -> None:
    said = words(language)
    anomalous = sum(one.anomalous for one in found)
    click.echo(said["anomalies_found"].format(n=anomalous, sessions=len(found)))
    if anomalous > top:
        click.echo(said["anomalies_shown"].format(n=top))
    kinds = {
        kind: [one.anomalous for one in found if one.session.anomalous is kind]
        for kind in (True, False)
    }
    if kinds[True]:
        click.echo(
            said["labelled"].format(
                found=sum(kinds[True]),
                anomalous=len(kinds[True]),
                alarms=sum(kinds[False]),
                normal=len(kinds[False]),
            )
        )
    unseen = sum(one.unseen for one in found)
    if unseen:
        sessions = sum(one.unseen > 0 for one in found)
        click.echo(said["unseen_keys"].format(n=unseen, sessions=sessions))
    limits = run.limits
    rules = {
        "surprise": said["rule_surprise"].format(limit=limits.surprise),
        "top": said["rule_top"].format(g=limits.g, r=limits.r),
        "sphere": said["rule_sphere"].format(radius=limits.radius),
    }
    click.echo(
        said["rule"].format(
            rule=rules[limits.decides],
            false_alarms=limits.false_alarms[limits.decides],
            sessions=limits.sessions,
        )
    )
