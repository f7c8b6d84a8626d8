"""Scripts that train one model after another: folds, sweeps, stages, a resume in one process."""

import weakref

import torch

SETTLED = 2
"""Updates after which an optimizer that steps for the first time is taken for another era's.
Several optimizers of one loop step for the first time within its first iteration."""


class Eras:
    """Which optimizers are at work now, and how many updates were made before them.

    An era begins with the first step ever of an optimizer in a loop that has settled; older
    optimizers that step again (a late second one beside them) are at work too.
    ``updates`` are those of each era's busiest optimizer.
    """

    def __init__(self) -> None:
        self.updates = [0]
        self._known: weakref.WeakSet[torch.optim.Optimizer] = weakref.WeakSet()
        self._at_work: weakref.WeakKeyDictionary[torch.optim.Optimizer, int] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def total(self) -> int:
        """Updates since the run began."""
        return sum(self.updates)

    def __contains__(self, optimizer: torch.optim.Optimizer) -> bool:
        """Has it stepped in the present era?"""
        return optimizer in self._at_work

    def begins(self, optimizer: torch.optim.Optimizer) -> bool:
        """It is about to step: does that begin an era after the first?"""
        if optimizer in self._known:
            return False
        self._known.add(optimizer)
        if self.updates[-1] < SETTLED:
            return False
        self.updates.append(0)
        self._at_work.clear()
        return True

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """It has stepped."""
        made = self._at_work[optimizer] = self._at_work.get(optimizer, 0) + 1
        self.updates[-1] = max(self.updates[-1], made)
