"""How a probe intervenes on the model: at the first look, until it could, and at the last."""

from collections.abc import Iterable

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.reason import Reason
from shindan.probes.look import Look, NoReplay
from shindan.probes.replay import Replay

TRIES = 6
"""Looks given to a batch that lacks what the intervention needs (padding, say)."""


class Intervention:
    """To be mixed into a Probe that overrides :meth:`examine`.

    What it raises as NoReplay becomes ``Unavailable``.
    """

    gives: type[Evidence]

    def __init__(self) -> None:
        self.found: Evidence | None = None
        self.because = Reason("not-looked")
        self.tries = 0

    def on_look(self, look: Look) -> None:
        """Examine when nothing is known yet, and at the end."""
        if not look.last and (self.found is not None or self.tries >= TRIES):
            return
        self.tries += 1
        try:
            self.found = self.examine(Replay.of(look))
        except NoReplay as reason:
            self.because = reason.reason
        except torch.OutOfMemoryError:
            self.because = Reason("no-memory")

    def examine(self, replay: Replay) -> Evidence:
        """The evidence of this look. Raises NoReplay."""
        raise NotImplementedError

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The newest."""
        yield self.found or Unavailable(self.gives.__name__, self.because)
