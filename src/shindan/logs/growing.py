"""A column that grows block by block into room that is reserved for it."""

import numpy as np
from numpy.typing import NDArray

from shindan.logs.table import Numbers

Present = NDArray[np.bool_]
Values = NDArray[np.float64] | NDArray[np.int64]


class Growing:
    """Values at rows; rows that were passed over hold NaN and are not present."""

    def __init__(self, expected: int = 0) -> None:
        """``expected`` rows; room that is not used costs nothing, and more can be had."""
        self.size = 0
        self._values = np.empty(expected)
        self._present = np.empty(expected, np.bool_)

    def put(self, at: int, values: Values, there: Present | None) -> None:
        """A block (n,) from row ``at`` on; ``there`` (n,) says which values are (None: all).

        Where a block was put at these rows already, its values stay.
        """
        end = at + len(values)
        if at < self.size:
            self._merge(slice(at, min(end, self.size)), values, there)
            cut = min(end, self.size) - at
            values, there, at = values[cut:], None if there is None else there[cut:], self.size
        if not len(values):
            return
        self._grow(end)
        self._values[self.size : at] = np.nan
        self._present[self.size : at] = False
        self._values[at:end] = values
        self._present[at:end] = True if there is None else there
        self.size = end

    def whole(self, size: int) -> tuple[Numbers, Present]:
        """The column and its presence, both (size,)."""
        if size > self.size:
            self._grow(size)
            self._values[self.size : size] = np.nan
            self._present[self.size : size] = False
        return self._values[:size], self._present[:size]

    def _merge(self, place: slice, values: Values, there: Present | None) -> None:
        size = place.stop - place.start
        wanted = ~self._present[place] if there is None else there[:size] & ~self._present[place]
        self._values[place][wanted] = values[:size][wanted]
        self._present[place] |= wanted

    def _grow(self, size: int) -> None:
        if size > len(self._values):
            room = max(size, 2 * len(self._values))
            for name in ("_values", "_present"):
                kept = getattr(self, name)
                made = np.empty(room, kept.dtype)
                made[: self.size] = kept[: self.size]
                setattr(self, name, made)
