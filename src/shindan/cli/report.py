"""``shindan report``."""

from pathlib import Path

import click

from shindan.cli.output import Output, output_options, told


@click.command()
@click.argument("record", metavar="RECORD")
@output_options
@click.option("--quiet", is_flag=True, help="Only write the files asked for.")
@told
def report(record: str, output: Output) -> None:
    """Make any report from a RECORD again, also from a run that was killed."""
    from shindan.integrations.watching import from_record
    from shindan.record.store import read

    held = read(Path(record))
    output.check()
    output.write(from_record(held, Path(record)), dict(held.evidence))
