"""``shindan run``."""

import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from shindan.cli.output import Output, output_options, told
from shindan.core.document import Document
from shindan.core.errors import ShindanError
from shindan.core.finding import SEVERITIES

FAILED = 3
"""Exit status with --fail-on when a finding is at least that severe."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "module", is_flag=True, help="TARGET is a module, as with python -m.")
@output_options
@click.option("--record-dir", metavar="DIR", help="Where the run record goes (.shindan).")
@click.option("--keep-text", is_flag=True, help="Keep decoded text in the record, not only ids.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 3 on such a finding.")
@click.option("--quiet", is_flag=True, help="Say nothing at all.")
@click.argument("target", metavar="SCRIPT")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@told
def run(
    module: bool,
    record_dir: str | None,
    keep_text: bool,
    fail_on: str | None,
    target: str,
    args: tuple[str, ...],
    output: Output,
) -> None:
    """Run a training SCRIPT with its ARGS, watched; tell what is wrong with it and why.

    The script is not edited, its output and its numbers are its own, and so is the exit status.
    """
    from shindan.integrations.script import run_script

    first = os.environ.get("RANK", "0") == "0"
    if not first:
        output = Output({}, output.lang, quiet=True)
    output.check()
    record = _record(record_dir, target) if first else None
    worst: list[int] = []

    def done(document: Document, watch: Any) -> None:
        worst.extend(SEVERITIES.index(f.severity) for f in document.findings)
        output.write(document, watch.evidence)

    status, died_of = run_script(
        target, args, module=module, record=record, keep_text=keep_text, done=done
    )
    if fail_on is not None and min(worst, default=len(SEVERITIES)) <= SEVERITIES.index(fail_on):
        sys.exit(FAILED)
    if died_of is not None:
        sys.stdout.flush()
        signal.signal(died_of, signal.SIG_DFL)
        signal.raise_signal(died_of)
    sys.exit(status)


def _record(folder: str | None, target: str) -> Path | None:
    """A new record's path; None when the default folder cannot be written (the run goes on)."""
    asked = folder or os.environ.get("SHINDAN_DIR")
    place = Path(asked or ".shindan").absolute()
    stem = re.sub(r"[^\w.]+", "-", Path(target).stem)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        if asked:
            raise ShindanError("record-not-writable", path=place, error=error.strerror) from error
        return None
    return place / f"{time.strftime('%Y%m%d-%H%M%S')}-{stem}-{os.getpid()}.db"
