"""``shindan demo``."""

import json
import os
import time
from pathlib import Path

import click

from shindan.cli.output import told
from shindan.core.text import LANGUAGES

FOLDER = Path("shindan-demo")


@click.command()
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the page.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write what was found as JSON: one document, five subjects.",
)
@click.option("--quiet", is_flag=True, help="Say nothing at all.")
@told
def demo(lang: str | None, json_file: str | None, quiet: bool) -> None:
    """Relive five field reports, small, diagnose each and show it in shindan-demo/report.html.

    Needs no network: the texts ship with Python, the log lines are made on the way.
    """
    from rich.console import Console

    from shindan.cli.demo.runs import prepared, relived
    from shindan.cli.demo.tales import joined, page, tell_all
    from shindan.report import jsondoc
    from shindan.report.words import language

    spoken = language(lang, os.environ)
    began = time.monotonic()
    prepared(FOLDER)
    runs = relived(FOLDER, Console(stderr=True, quiet=quiet))
    report = FOLDER / "report.html"
    report.write_text(page(runs, spoken), encoding="utf-8")
    if json_file is not None:
        content = jsondoc.to_json(joined([run.view.document for run in runs]), spoken)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    tell_all(runs, report, time.monotonic() - began, spoken, Console(quiet=quiet))
