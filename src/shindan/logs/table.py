"""What a reader makes of a log: columns of numbers, and what could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shindan.core.reason import Reason

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LogTable:
    """One run's log, row by row in the order of the file.

    ``columns`` are equally long, under the names they have in the log; a row without a value has
    NaN there *and* False in ``present`` (a logged NaN is present). ``words`` are columns that are
    no numbers (None: none in this row); a column that mixes both is in both, under one name.
    Dates with a time of day are numbers: seconds since 1970, as UTC where no zone is said.
    ``settings`` is what the log or a file beside it says of the run's configuration, flat, with
    ``units.NAME`` for a column whose numbers have a unit in the log (``ms``, ``%``). ``lost``
    says what could not be read, each with where and how much; empty where all was read.
    """

    path: Path
    format: str
    """The name of the reader: ``hf-trainer-state``, ``csv``, ``text`` ..."""
    name: str
    """Of the run, for people: the file's, or the run's own where a file holds several."""
    columns: Mapping[str, Numbers]
    present: Mapping[str, NDArray[np.bool_]]
    words: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    lines: NDArray[np.int64] | None = None
    """Line (from 1) or record number of each row in the file, where that means something."""
    settings: Mapping[str, object] = field(default_factory=dict)
    lost: tuple[Reason, ...] = ()

    def __len__(self) -> int:
        """Rows."""
        return max((len(v) for v in (*self.columns.values(), *self.words.values())), default=0)


def once(table: LogTable, column: str) -> float | None:
    """The one value of a column that a writer fills at the end."""
    values = table.columns.get(column)
    there = values[np.isfinite(values)] if values is not None else np.empty(0)
    return float(there[0]) if len(there) == 1 else None
