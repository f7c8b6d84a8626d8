"""What the name of a file says of numbers that have no name in it: ``loss_history.json``."""

import re
from dataclasses import replace
from pathlib import Path

from shindan.logs.likeness import counts_evenly
from shindan.logs.roles import infer
from shindan.logs.table import LogTable

_COPY = re.compile(r"\s*\(\d+\)$")
"""What a browser adds to the name of a second download."""
_ENDINGS = re.compile(r"(?:\.[A-Za-z]+\d?)+$")


def stem(path: Path) -> str:
    """The name without its endings, and without the number of a copy."""
    return _COPY.sub("", _ENDINGS.sub("", path.name)) or path.name


def called(table: LogTable) -> LogTable:
    """The table, its one column of bare numbers (beside a count, if any) under the file's name,
    where that names a loss; so too the ``Value`` of a list that TensorBoard exported.
    """
    name = stem(table.path)
    columns = [*table.columns, *table.words]
    if columns == ["0"]:
        made = _renamed(table, {"0": name})
    elif columns == ["0", "1"] and counts_evenly(table.columns["0"]):
        made = _renamed(table, {"0": "step", "1": name})
    elif columns == ["Wall time", "Step", "Value"]:
        made = _renamed(table, {"Value": name})
    else:
        return table
    return made if {"loss", "validation"} & set(infer(made).columns) else table


def _renamed(table: LogTable, names: dict[str, str]) -> LogTable:
    return replace(
        table,
        columns={names.get(old, old): values for old, values in table.columns.items()},
        present={names.get(old, old): there for old, there in table.present.items()},
    )
