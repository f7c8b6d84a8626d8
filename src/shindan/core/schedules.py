"""What the learning rate really did, from the updates of one optimizer."""

from collections.abc import Sequence
from dataclasses import dataclass

from shindan.core.evidence.curve import Curve

CHANGE = 1e-9


@dataclass(frozen=True)
class Course:
    """The LR of the first group over the updates of one optimizer."""

    rates: tuple[float, ...]

    @property
    def peak(self) -> float:
        """The largest LR."""
        return max(self.rates, default=0.0)

    def tail_below(self, share: float) -> float:
        """Share of the run, at its end, with LR at most ``share`` of the peak."""
        length = 0
        for rate in reversed(self.rates):
            if rate > share * self.peak:
                break
            length += 1
        return length / len(self.rates) if self.rates else 0.0

    def settled(self) -> float:
        """Share of the run after which the LR never changes any more (1.0: changes to the end)."""
        for i in range(len(self.rates) - 1, 0, -1):
            if abs(self.rates[i] - self.rates[i - 1]) > CHANGE * self.peak:
                return i / len(self.rates)
        return 0.0

    def rises_again(self, share: float) -> bool:
        """Once up and fallen below half of the peak, does it climb by ``share`` of the peak?"""
        been_high, low = False, self.peak
        for rate in self.rates:
            been_high |= rate >= 0.5 * self.peak
            if been_high:
                low = min(low, rate)
                if low < 0.5 * self.peak and rate - low >= share * self.peak:
                    return True
        return False


def course(curve: Curve, optimizer: int) -> Course:
    """The LR as that optimizer used it, update by update (refused steps left out)."""
    updates = [u for u in curve.updates if u.optimizer == optimizer and not u.skipped and u.lr]
    return Course(tuple(u.lr[0] for u in updates))


def near(a: float, b: float, within: float) -> bool:
    """Equal but for a relative difference ``within``."""
    return abs(a - b) <= within * max(abs(a), abs(b))


def nearest(values: Sequence[int], to: float, within: float) -> int | None:
    """The value closest to ``to``, if it is near it."""
    best = min(values, key=lambda v: abs(v - to), default=None)
    return best if best is not None and near(best, to, within) else None
