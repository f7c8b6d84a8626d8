"""``shindan recipes``."""

import click

from shindan.cli.training import language_option, refusals_told, spoken, words


@click.command()
@language_option
@refusals_told
def recipes(lang: str | None) -> None:
    """List what `shindan train` can train: data, sizes, expected figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from shindan.reference.recipes import NAMES, load

    language = spoken(lang)
    said = words(language)
    column = language == "ja"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("recipe", "about", "data", "expected"):
        table.add_column(said[heading], overflow="fold", no_wrap=heading == "recipe")
    for recipe in map(load, NAMES):
        figures = [
            f"{size}: {recipe.expected[size][column]}" if size in recipe.expected else size
            for size in recipe.sizes
        ]
        table.add_row(recipe.name, recipe.about[column], recipe.data[column], "\n".join(figures))
    console = Console()
    console.print(table)
    console.print(said["how_to_train"], highlight=False)
