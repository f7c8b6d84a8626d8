"""Which autocast the scaled losses came from (evidence ``LossScaling``)."""

from collections.abc import Iterable

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.scaling import LossScaling
from shindan.core.finding import NOWHERE
from shindan.core.reason import Reason
from shindan.probes.events import BackwardCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session


class LossScalingProbe(Probe):
    """Counts the backwards of scaled losses, and those of forwards under bf16."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.scaled = self.bf16 = 0
        self.scale = 1.0
        self.where = NOWHERE

    def on_backward(self, backward: BackwardCall) -> None:
        """One comparison; the first scale is kept."""
        if backward.scale is None:
            return
        if self.scaled == 0:
            self.where = backward.where()
            self.session.mail.post(backward.scale, lambda v: setattr(self, "scale", v))
        self.scaled += 1
        kinds = {c.autocast[2] for c in backward.calls if c.autocast[1]}
        self.bf16 += kinds == {torch.bfloat16}

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The counts."""
        if self.scaled:
            yield LossScaling(self.scaled, self.bf16, self.scale, self.where)
        else:
            yield Unavailable("LossScaling", Reason("no-scaled-loss"))
