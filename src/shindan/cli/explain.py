"""``shindan explain``."""

import os

import click

from shindan.cli.output import told
from shindan.core.text import LANGUAGES


@click.command()
@click.argument("fault", metavar="ID")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the page.")
@told
def explain(fault: str, lang: str | None) -> None:
    """Tell what the fault ID is, how it is recognised and how it is cured."""
    from rich.console import Console

    from shindan.report.explain import explain as tell
    from shindan.report.words import language

    tell(fault, language(lang, os.environ), Console())
