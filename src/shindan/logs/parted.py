"""A log that writes training and evaluation into the same columns, told apart by a word.

``{"kind": "validation", "update": 10, "loss": 5.7}``, as our own metrics and many others have it.
"""

import re
from dataclasses import replace

import numpy as np

from shindan.logs.roles import NAMES, normal
from shindan.logs.table import LogTable

PARTS = ("kind", "split", "subset", "set", "mode", "phase", "stage", "type", "part", "partition")
TRAINING = {"train", "training", "tr"}
EVALUATION = {"val", "valid", "validation", "eval", "evaluation", "evaluate", "dev", "test"}
COUNTS = ("step", "update", "epoch", "tokens")


def parted(table: LogTable) -> LogTable:
    """The table with ``validation_NAME`` for each column whose values are of both kinds."""
    for name, words in table.words.items():
        seen = {word.lower() for word in set(words) if word}
        if normal(name) not in PARTS or not seen & TRAINING or not seen & EVALUATION:
            continue
        evaluated = np.array([w is not None and w.lower() in EVALUATION for w in words])
        columns, present = dict(table.columns), dict(table.present)
        for column, there in table.present.items():
            if _counts(column) or not (there & evaluated).any() or not (there & ~evaluated).any():
                continue
            beside = f"validation_{normal(column)}"
            if beside in columns:
                continue
            values = columns[column]
            columns[column] = np.where(evaluated, np.nan, values)
            present[column] = there & ~evaluated
            columns[beside] = np.where(evaluated, values, np.nan)
            present[beside] = there & evaluated
        return replace(table, columns=columns, present=present)
    return table


def _counts(column: str) -> bool:
    """Steps, epochs and tokens go on through both."""
    patterns = (p for role in COUNTS for p in NAMES[role])
    return any(re.fullmatch(p, normal(column)) for p in patterns)
