"""``shindan generate``."""

from pathlib import Path

import click

from shindan.cli.training import language_option, refusals_told


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("prompt")
@click.option("--tokens", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@click.option(
    "--temperature",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0),
    help="0 takes the most probable token each time.",
)
@click.option("--top", default=50, show_default=True, type=click.IntRange(1), help="Draw of these.")
@click.option("--seed", default=0, show_default=True, type=int)
@language_option
@refusals_told
def generate(
    run: str, prompt: str, tokens: int, temperature: float, top: int, seed: int, lang: str | None
) -> None:
    """Let the causal model of RUN go on from PROMPT."""
    from shindan.reference.recipes.use import continued, opened

    click.echo(continued(opened(Path(run)), prompt, tokens, temperature, top, seed))
