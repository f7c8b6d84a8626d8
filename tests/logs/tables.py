"""Tables made by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shindan.logs.table import LogTable


def table(
    columns: Mapping[str, Sequence[float | None]],
    words: Mapping[str, Sequence[str | None]] | None = None,
    settings: Mapping[str, object] | None = None,
    form: str = "csv",
) -> LogTable:
    """A table of these columns; None is a row without a value."""
    numbers = {
        name: np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        for name, values in columns.items()
    }
    present = {n: np.array([v is not None for v in values]) for n, values in columns.items()}
    rows = max(map(len, numbers.values()), default=0)
    return LogTable(
        Path("train.csv"), form, "train.csv", numbers, present, dict(words or {}),
        np.arange(2, rows + 2), dict(settings or {}),
    )  # fmt: skip
