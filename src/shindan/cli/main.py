"""``shindan`` and its commands."""

import difflib
from typing import Any

import click

from shindan.cli.anomalies import anomalies
from shindan.cli.compare import compare
from shindan.cli.demo import demo
from shindan.cli.explain import explain
from shindan.cli.generate import generate
from shindan.cli.predict import predict
from shindan.cli.read import read
from shindan.cli.recipes import recipes
from shindan.cli.report import report
from shindan.cli.run import run
from shindan.cli.train import train


class Doors(click.Group):
    """A group that names the nearest command when it does not know one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click's, with the nearest name."""
        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Doors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shindan")
def main() -> None:
    """Tell why the training of a Transformer language model fails, with measured evidence."""


for door in (
    run,
    report,
    read,
    compare,
    explain,
    demo,
    train,
    recipes,
    predict,
    generate,
    anomalies,
):
    main.add_command(door)
