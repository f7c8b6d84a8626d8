"""When a checkpoint was loaded in the middle of a run (evidence ``Loads``)."""

import weakref
from collections.abc import Iterable

from torch import nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.trend import Loads
from shindan.probes.capture import plain
from shindan.probes.events import CheckpointEvent, ForwardCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session

Shape = tuple[str, int]


class Resumes(Probe):
    """Loads into a model of the kind trained before, which is then trained on."""

    def on_start(self, session: Session) -> None:
        """Nothing trained yet."""
        self.session = session
        self.trained: Shape | None = None
        self.last: weakref.ref[nn.Module] | None = None
        self.loaded: tuple[int, int] | None = None
        self.at: list[int] = []

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """Weights came in after training had begun."""
        if event.kind == "module_load" and self.trained is not None:
            target = plain(event.target)
            if _shape(target) == self.trained:
                self.loaded = self.session.micro, id(target)

    def on_forward(self, call: ForwardCall) -> None:
        """Is the loaded model the one that is trained now?"""
        if not (call.grad and call.training):
            return
        if self.loaded is None and self.last is not None and self.last() is call.module:
            return
        module = plain(call.module)
        self.last = weakref.ref(call.module)
        self.trained = _shape(module)
        if self.loaded is not None:
            micro, loaded = self.loaded
            if loaded == id(module) and micro > 0:
                self.at.append(micro)
            self.loaded = None

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The loads so far."""
        yield Loads(tuple(self.at))


def _shape(module: nn.Module) -> Shape:
    return type(module).__name__, sum(p.numel() for p in module.parameters())
