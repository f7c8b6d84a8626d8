"""Is the step the right length? An intervention on the step itself (evidence ``StepTest``)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.reason import Reason
from shindan.probes.capture import IGNORE
from shindan.probes.events import OptimizerStep
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters

LARGEST = 2 << 30
"""Bytes of parameters above which no copy is kept."""
LENGTHS = (0.0, 0.1, 1.0, 10.0, 100.0)


class StepTestProbe(Probe):
    """Keeps the parameters before an update that will be looked at, and walks along its step."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.before: list[tuple[Tensor, Tensor]] = []
        self.points: list[StepPoint] = []
        self.because = Reason("no-update-looked-at")

    def on_step(self, step: OptimizerStep) -> None:
        """Copy what is about to move, on the few updates that will be looked at."""
        session = self.session
        coming = step.closure and session.schedule.due(session.update)
        if not (coming or session.look_follows) or step.optimizer is not session.main_optimizer:
            return
        held = [p for p in parameters(step.optimizer) if p.requires_grad]
        if sum(p.numel() * p.element_size() for p in held) > LARGEST:
            self.because = Reason("parameters-too-large", {"gib": LARGEST >> 30})
            return
        self.before = [(p, p.detach().clone()) for p in held]

    def on_look(self, look: Look) -> None:
        """Losses along the step; the parameters are put back bit for bit."""
        before, self.before = self.before, []
        if look.last or not before:
            return
        optimizer = self.session.main_optimizer
        try:
            losses = self._walk(look, before)
        except NoReplay as reason:
            self.because = reason.reason
            return
        if losses[0] == losses[2] == losses[3]:  # an update by hand, told of when it was over
            self.because = Reason("parameters-not-seen-before")
            return
        lr = float(optimizer.param_groups[0]["lr"]) if optimizer else 0.0
        self.points.append(StepPoint(look.update, lr, *losses))

    def _walk(self, look: Look, before: list[tuple[Tensor, Tensor]]) -> list[float]:
        after = [p.detach().clone() for p, _ in before]
        labels = look.labels
        losses: list[Tensor] = []
        try:
            for length in LENGTHS:
                for (parameter, old), new in zip(before, after, strict=True):
                    parameter.data.copy_(torch.lerp(old.float(), new.float(), length))
                logits = look.logits()
                losses.append(
                    nn.functional.cross_entropy(
                        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE
                    )
                )
        finally:
            for (parameter, _), new in zip(before, after, strict=True):
                parameter.data.copy_(new)
        return torch.stack(losses).tolist()

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The points so far."""
        if self.points:
            yield StepTest(tuple(self.points))
        else:
            yield Unavailable("StepTest", self.because)
