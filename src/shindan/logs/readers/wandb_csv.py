"""CSV as W&B's charts export it: ``Step``, and ``RUN - NAME`` (with __MIN, __MAX) for each run."""

from collections.abc import Sequence
from dataclasses import replace

from shindan.logs.formats import Claim, Format
from shindan.logs.readers.csv import shape_of, table_of
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_NAME = "wandb-csv"
_PARTS = " - "


def claims(source: Source) -> Claim:
    """All columns but the first few belong to a run, with their extremes beside them."""
    shape = shape_of(source)
    names = shape.names if shape else ()
    owned = [name for name in names if _PARTS in name]
    extremes = any(name.endswith(("__MIN", "__MAX")) for name in owned)
    return Claim.SURE if owned and extremes else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a run: the rows in which it has a value."""
    return [run for source in sources if (table := table_of(source, _NAME)) for run in _runs(table)]


def _runs(table: LogTable) -> list[LogTable]:
    shared = [name for name in table.columns if _PARTS not in name]
    names = [name for name in (*table.columns, *table.words) if _PARTS in name]
    runs = dict.fromkeys(name.rsplit(_PARTS, 1)[0] for name in names)
    made = []
    for run in runs:
        own = {n: n.rsplit(_PARTS, 1)[1] for n in table.columns if n.startswith(run + _PARTS)}
        if not own:
            continue
        rows = sum(table.present[name] for name in own) > 0
        kept = {**{name: name for name in shared}, **own}
        made.append(
            replace(
                table,
                name=run,
                columns={new: table.columns[old][rows] for old, new in kept.items()},
                present={new: table.present[old][rows] for old, new in kept.items()},
                words={},
            )
        )
    return made


FORMAT = Format(_NAME, claims, read)
