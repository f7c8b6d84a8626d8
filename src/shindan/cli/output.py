"""Options and writing that the doors share."""

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from shindan.core.document import Document
from shindan.core.errors import ShindanError
from shindan.core.evidence.base import Evidence
from shindan.core.text import LANGUAGES

FORMS = ("json", "html", "sarif", "md")


@dataclass(frozen=True)
class Output:
    """Where the report goes, and in which language."""

    files: dict[str, Path]
    lang: str | None
    quiet: bool = False

    def check(self) -> None:
        """Refuse places that cannot be written, before anything is run."""
        for path in self.files.values():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8"):
                    pass
            except OSError as error:
                raise ShindanError("not-writable", path=path, error=error.strerror) from error

    def write(
        self,
        document: Document,
        evidence: dict[type[Evidence], Evidence],
        logs: Sequence[Mapping[type[Evidence], Evidence]] = (),
    ) -> None:
        """Write every form that was asked for; the terminal's last.

        ``evidence`` is a run's, ``logs`` that of each log where the subjects are logs.
        """
        from shindan.report import html, jsondoc, markdown, sarif
        from shindan.report.view import View, read_sources
        from shindan.report.words import language

        lang = language(self.lang, os.environ)
        view = View(document, evidence, read_sources(document), str(Path.cwd()), tuple(logs))
        made: dict[str, Callable[[], str]] = {
            "json": lambda: _json(jsondoc.to_json(document, lang)),
            "html": lambda: html.render(view, lang),
            "sarif": lambda: _json(sarif.to_sarif(view, lang)),
            "md": lambda: markdown.render(view, lang),
        }
        for form, path in self.files.items():
            path.write_text(made[form](), encoding="utf-8")
        if not self.quiet:
            from rich.console import Console

            from shindan.report import terminal

            sys.stdout.flush()
            terminal.render(view, lang, Console(stderr=True))


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, --html, --sarif, --md and --lang, gathered into one ``output``."""

    @functools.wraps(command)
    def gathered(*args: Any, lang: str | None, quiet: bool = False, **rest: Any) -> Any:
        files = {f: Path(p) for f in FORMS if (p := rest.pop(f"{f}_file")) is not None}
        return command(*args, output=Output(files, lang, quiet), **rest)

    for form in reversed(FORMS):
        gathered = click.option(
            f"--{form}",
            f"{form}_file",
            metavar="FILE",
            type=click.Path(dir_okay=False),
            help=f"Write the report as {form.upper()}.",
        )(gathered)
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        help="Language of the report; else SHINDAN_LANG, else the locale.",
    )(gathered)


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a ShindanError into one sentence and exit status 2."""

    @functools.wraps(command)
    def careful(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ShindanError as error:
            from shindan.report import reasons
            from shindan.report.words import language

            asked = kwargs.get("lang") or getattr(kwargs.get("output"), "lang", None)
            sentence = reasons.told(error.reason, language(asked, os.environ))
            raise click.UsageError(sentence) from error

    return careful
