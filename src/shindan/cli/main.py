"""``shindan`` and its commands."""

import click

from shindan.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shindan")
def main() -> None:
    """Tell why the training of a Transformer language model fails, and prove it."""


main.add_command(run)
