"""The training log of report 2 (Phase 8): ``steps`` with micro-step and ``optimizer_step``."""

from collections.abc import Sequence

from shindan.logs.formats import Claim, Format
from shindan.logs.readers import json_document
from shindan.logs.source import Source
from shindan.logs.table import LogTable


def claims(source: Source) -> Claim:
    """``steps`` whose records count optimizer steps."""
    names = (b'"steps"', b'"optimizer_step"')
    return Claim.SURE if all(name in source.head for name in names) else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a file: its ``steps``; ``config`` and the rest are settings."""
    return [table for source in sources for table in json_document.tables(source, "phase8")]


FORMAT = Format("phase8", claims, read)
