"""What columns do that have no name of their own, or one that says little."""

from collections.abc import Mapping

import numpy as np

from shindan.logs.table import LogTable, Numbers

LEAST = 0.1
"""A loss begins above it; shares of right answers begin there too, but do not fall, and learning
rates, which fall, begin below."""
ENDS = 5
"""The first and the last fifth are compared."""


def like_a_loss(values: Numbers) -> bool:
    """Whether the logged values (n,) may be a loss's, and are no accuracies nor learning rates:
    above zero with fractions, beginning above LEAST; the last of them lie below the first, or some
    are not finite.
    """
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() < 0 or np.array_equal(finite, np.round(finite)):
        return False
    size = max(1, len(finite) // ENDS)
    first, last = np.median(finite[:size]), np.median(finite[-size:])
    return bool(first > LEAST and (last < first or len(finite) < len(values)))


def counts_evenly(values: Numbers) -> bool:
    """Whether they are whole, not negative, and most often rise."""
    if len(values) < 2 or not np.isfinite(values).all() or values.min() < 0:
        return False
    return bool(np.array_equal(values, np.round(values)) and (np.diff(values) > 0).mean() > 0.5)


def bare_roles(table: LogTable) -> Mapping[str, str]:
    """Step and loss of a log of bare numbers: ``100 2.31`` on each line, or one number.

    Of several that may be losses (training and validation, in an order nobody said) none is taken.
    """
    columns = [c for c in table.columns if c.isdigit()]
    values = {c: table.columns[c][table.present[c]] for c in columns}
    counts = [c for c in columns[:1] if len(columns) > 1 and counts_evenly(values[c])]
    losses = [c for c in columns if c not in counts and like_a_loss(values[c])]
    if len(losses) != 1 or (len(columns) > 1 and not counts):
        return {"step": counts[0]} if counts and losses else {}
    return {"loss": losses[0]} | ({"step": counts[0]} if counts else {})


def epoch_beside(table: LogTable, step: str) -> str | None:
    """A count that rises by one just where the step begins anew: the epochs (``[1, 2000]``)."""
    steps = table.columns[step]
    for name, values in table.columns.items():
        both = np.isfinite(steps) & np.isfinite(values)
        if name == step or both.sum() < 4:
            continue
        falls = np.diff(steps[both]) < 0
        if falls.any() and np.array_equal(np.diff(values[both]), falls.astype(np.float64)):
            return name
    return None
