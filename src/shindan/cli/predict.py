"""``shindan predict``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shindan.cli.training import language_option, refusals_told, spoken, words
from shindan.core.text import Language

if TYPE_CHECKING:
    from rich.table import Table

    from shindan.reference.recipes.use import Answer


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.argument("text")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--word", help="Tell the logit and rank of this token too.")
@language_option
@refusals_told
def predict(runs: tuple[str, ...], text: str, top: int, word: str | None, lang: str | None) -> None:
    """Fill each [MASK] of TEXT by the RUNs, side by side: tokens, logits, probabilities, ranks."""
    from rich.console import Console

    from shindan.reference.recipes.use import fill, opened

    asked = [fill(opened(Path(run)), text, top, word) for run in runs]
    console, language = Console(), spoken(lang)
    for place, answers in enumerate(zip(*asked, strict=True), 1):
        if len(asked[0]) > 1:
            console.print(
                words(language)["mask_number"].format(n=place), highlight=False, markup=False
            )
        console.print(_table(runs, answers, language))


def _table(
    runs: tuple[str, ...], answers: "tuple[list[Answer], ...]", language: Language
) -> "Table":
    """Ranks down, runs across; a word asked for follows with its own rank."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    said = words(language)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(said["rank"], justify="right")
    for run in runs:
        table.add_column(Text(run if len(runs) > 1 else said["token"]))
        table.add_column(said["logit"], justify="right")
        table.add_column(said["probability"], justify="right")
    for line in zip(*answers, strict=True):
        ranks = {answer.rank for answer in line}
        cells = [str(min(ranks)) if len(ranks) == 1 else ""]
        for answer in line:
            rank = "" if len(ranks) == 1 else f" ({said['rank']} {answer.rank})"
            cells += [f"{answer.token}{rank}", f"{answer.logit:+.2f}", f"{answer.probability:.1%}"]
        table.add_row(*map(Text, cells))
    return table
