"""``shindan read``."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from shindan.cli.output import Output, output_options, told
from shindan.cli.tokens import lines_of
from shindan.core.errors import ShindanError
from shindan.core.finding import SEVERITIES

FAILED = 3
ROLES = {
    "loss": "training loss",
    "validation": "validation loss",
    "lr": "learning rate",
    "step": "counter of steps",
    "epoch": "epoch",
    "tokens": "counter of tokens",
    "grad_norm": "gradient norm",
}
"""Roles with an option of their own; --role gives any."""


def role_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --loss, --lr, --step ... and --role."""
    for role, named in reversed(ROLES.items()):
        command = click.option(
            f"--{role.replace('_', '-')}",
            f"role_{role}",
            metavar="COLUMN",
            help=f"The column that is the {named}.",
        )(command)
    return click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="ROLE=COLUMN",
        help="The column that has a role (raw_norm, clip, update, scale, used_lr ...).",
    )(command)


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@role_options
@output_options
@click.option(
    "--forecast",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Where the losses will be after N more steps of the log's own count.",
)
@click.option("--reach", type=float, metavar="LOSS", help="When the losses will fall to LOSS.")
@click.option(
    "--vocab",
    multiple=True,
    type=click.IntRange(min=2),
    metavar="SIZE",
    help="A vocabulary size: does a loss stand at its logarithm? Else well-known ones are tried.",
)
@click.option(
    "--unigram",
    type=click.FloatRange(min=0, min_open=True),
    metavar="NATS",
    help="The entropy of the tokens' frequencies: does a loss stand at it?",
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The text trained on (with --tokenizer), or its token counts as JSON: gives --unigram.",
)
@click.option(
    "--tokenizer",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="The tokenizer of --data: tokenizer.json, vocab.txt, or a folder with one.",
)
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 3 on such a finding.")
@click.option("--quiet", is_flag=True, help="Only write the files asked for.")
@told
def read(
    paths: tuple[Path, ...],
    roles: tuple[str, ...],
    forecast: float | None,
    reach: float | None,
    vocab: tuple[int, ...],
    unigram: float | None,
    data: Path | None,
    tokenizer: Path | None,
    fail_on: str | None,
    output: Output,
    **asked: str | None,
) -> None:
    """Tell what logs of trainings that are over say: files or folders, of any known format.

    What is loss, learning rate, gradient norm, validation and step is found by name and by
    numbers, and shown; it can be given. Of a file that holds several runs each is judged by itself.
    """
    from shindan.diagnose.logs import examine
    from shindan.logs.course import Wanted

    if data is not None:
        size, unigram = lines_of(data, tokenizer, output.lang)
        vocab = vocab or (size,)
    wanted = Wanted(vocab, unigram, forecast, reach)
    read_logs = examine(paths, given_roles(roles, asked), wanted)
    output.check()
    output.write(read_logs.document, {}, read_logs.evidence)
    worst = min((SEVERITIES.index(f.severity) for f in read_logs.document.findings), default=9)
    if fail_on is not None and worst <= SEVERITIES.index(fail_on):
        sys.exit(FAILED)


def given_roles(roles: tuple[str, ...], asked: Mapping[str, str | None]) -> dict[str, str]:
    """Role -> column, of the options of :func:`role_options`."""
    found = {key.removeprefix("role_"): column for key, column in asked.items() if column}
    for text in roles:
        role, equals, column = text.partition("=")
        if not equals or not column:
            raise ShindanError("role-not-given", text=text)
        found[role.strip().replace("-", "_")] = column.strip()
    return found
