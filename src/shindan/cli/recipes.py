"""``shindan recipes``."""

import click

from shindan.cli.training import language_option, refusals_told, spoken, words


@click.command()
@language_option
@refusals_told
def recipes(lang: str | None) -> None:
    """List what `shindan train` can train: data, sizes, expected figures."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from shindan.reference.recipes import NAMES, load

    language = spoken(lang)
    said, column, console = words(language), language == "ja", Console()
    for recipe in map(load, NAMES):
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=8)
        table.add_column(overflow="fold")
        table.add_row(said["about"], recipe.about[column])
        table.add_row(said["data"], recipe.data[column])
        for size in recipe.sizes:
            figures = recipe.expected[size][column] if size in recipe.expected else ""
            table.add_row(f"size={size}", figures)
        console.print(Text(recipe.name, style="bold"), table, Text(""), sep="\n")
    console.print(said["how_to_train"], highlight=False, markup=False)
