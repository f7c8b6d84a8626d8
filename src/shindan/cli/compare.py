"""``shindan compare``."""

import sys
from pathlib import Path

import click

from shindan.cli.output import Output, output_options, told
from shindan.cli.read import given_roles, role_options
from shindan.core.finding import SEVERITIES

FAILED = 3


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="A B...", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "said",
    multiple=True,
    metavar="RUN:FACT=VALUE",
    help="What a log does not say: A:batch_size=32,learning_rate=1e-4 (also in a YAML beside it).",
)
@role_options
@output_options
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 3 on such a finding.")
@click.option("--quiet", is_flag=True, help="Only write the files asked for.")
@told
def compare(
    paths: tuple[Path, ...],
    said: tuple[str, ...],
    roles: tuple[str, ...],
    fail_on: str | None,
    output: Output,
    **asked: str | None,
) -> None:
    """Compare runs fairly, from their logs or records: each against the first.

    First whether their losses mean the same; then side by side at equal updates, tokens, epochs,
    time and FLOPs, and what the difference goes with: budget, schedule, learning rate and batch,
    size. Three runs and more are put in order, and told where they are a sweep. Runs are A, B ...
    in the order given. A number without a log is one, too:
    val_loss=3.28,updates=19560,tokens=10e9,parameters=124e6 (or these as a YAML file).
    """
    from shindan.core.evidence.pairs import Comparison
    from shindan.diagnose.compare import compare as compared

    made = compared(paths, said, given_roles(roles, asked))
    output.check()
    output.write(made.document, {Comparison: made.comparison})
    worst = min((SEVERITIES.index(f.severity) for f in made.document.findings), default=9)
    if fail_on is not None and worst <= SEVERITIES.index(fail_on):
        sys.exit(FAILED)
