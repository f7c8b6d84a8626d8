"""``shindan run``."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import click

from shindan.core.errors import ShindanError


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("-m", "module", is_flag=True, help="TARGET is a module, as in python -m.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the document.")
@click.option("--quiet", is_flag=True, help="Say nothing on standard error.")
@click.option("--record-dir", type=click.Path(), default=None, help="Where records go.")
@click.argument("target")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(module, json_file, quiet, record_dir, target, args) -> None:
    """Run a training script, watched."""
    from dataclasses import asdict
    from shindan.integrations.script import run_script

    folder = Path(record_dir or os.environ.get("SHINDAN_DIR") or ".shindan")
    stem = re.sub(r"\W+", "-", Path(target).stem)
    record = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{stem}-{os.getpid()}.db"

    def done(document, watch) -> None:
        text = json.dumps(asdict(document), indent=1, default=str)
        if json_file:
            Path(json_file).write_text(text)
        if not quiet:
            sys.stderr.write(text)

    status, died = run_script(target, args, module=module, record=record, done=done)
    sys.exit(status)
