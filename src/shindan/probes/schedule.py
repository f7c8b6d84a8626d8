"""When to look deeply, and what that may cost."""

import time

EARLY = (1, 7)
"""Updates looked at whatever it costs: within the first ten, before the run has found its pace."""
ERAS = 4
"""So many further models of one run have one look each whatever it costs."""
FREE_SECONDS = 1.0
SHARE = 0.005
"""After them, all looks together may take FREE_SECONDS plus this share of the time since."""


class LookSchedule:
    """Early looks, then at doubling updates (20, 40, 80, ...) while the budget allows."""

    def __init__(self) -> None:
        self._plan(0)
        self._free = EARLY[-1]
        self._restarts = 0
        self._spent = 0.0
        self._cost = 0.0
        self._since: float | None = None

    def _plan(self, update: int) -> None:
        self._next = [update + n for n in (*EARLY, *(20 * 2**k for k in range(24)))]

    def restart(self, update: int) -> None:
        """Another model is trained from here on: early looks again, within the budget."""
        self._restarts += 1
        self._plan(update)
        self._free = update + EARLY[0] if self._restarts <= ERAS else 0

    def due(self, update: int) -> bool:
        """Should the update with this index (from 0) be looked at?"""
        while len(self._next) > 1 and update >= self._next[1]:
            self._next.pop(0)
        if update < self._next[0]:
            return False
        if update <= self._free:
            return True
        if self._since is None:
            self._since = time.monotonic()
        allowed = FREE_SECONDS + SHARE * (time.monotonic() - self._since)
        return self._spent + self._cost <= allowed

    def looked(self, update: int, seconds: float) -> None:
        """A look was made."""
        self._cost = seconds
        if update > self._free:
            self._spent += seconds
        while self._next and update >= self._next[0]:
            self._next.pop(0)
