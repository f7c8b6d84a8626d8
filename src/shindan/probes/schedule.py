"""When to look deeply, and what that may cost."""

import time

EARLY = (1, 7)
"""Updates looked at whatever it costs: within the first ten, before the run has found its pace."""
FREE_SECONDS = 1.0
SHARE = 0.005
"""After them, all looks together may take FREE_SECONDS plus this share of the time since."""


class LookSchedule:
    """Early looks, then at doubling updates (20, 40, 80, ...) while the budget allows."""

    def __init__(self) -> None:
        self._next = [*EARLY, *(20 * 2**k for k in range(24))]
        self._spent = 0.0
        self._cost = 0.0
        self._since: float | None = None

    def due(self, update: int) -> bool:
        """Should the update with this index (from 0) be looked at?"""
        while len(self._next) > 1 and update >= self._next[1]:
            self._next.pop(0)
        if update < self._next[0]:
            return False
        if update <= EARLY[-1]:
            return True
        if self._since is None:
            self._since = time.monotonic()
        allowed = FREE_SECONDS + SHARE * (time.monotonic() - self._since)
        return self._spent + self._cost <= allowed

    def looked(self, update: int, seconds: float) -> None:
        """A look was made."""
        self._cost = seconds
        if update > EARLY[-1]:
            self._spent += seconds
        while self._next and update >= self._next[0]:
            self._next.pop(0)
