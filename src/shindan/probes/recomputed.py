"""Calls of reentrant gradient checkpointing (evidence ``Recomputed``)."""

from collections.abc import Iterable

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.checkpointing import Recomputed
from shindan.core.finding import NOWHERE
from shindan.core.reason import Reason
from shindan.probes.events import CheckpointedCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session


class RecomputedProbe(Probe):
    """Two counters."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.calls = self.cut = 0
        self.where = NOWHERE

    def on_checkpointed(self, call: CheckpointedCall) -> None:
        """Count it."""
        self.calls += 1
        if not call.asked:
            self.cut += 1
            self.where = self.where if self.cut > 1 else call.where

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The counts."""
        if self.calls:
            yield Recomputed(self.calls, self.cut, self.where)
        else:
            yield Unavailable("Recomputed", Reason("no-reentrant-checkpointing"))
