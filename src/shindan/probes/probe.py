"""A probe hears events and yields evidence at the end."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.probes.events import (
    BackwardCall,
    BatchEvent,
    CheckpointedCall,
    CheckpointEvent,
    ClipCall,
    ForwardCall,
    HookCall,
    LogEvent,
    LossCall,
    OptimizerStep,
    ScalerEvent,
    SettingsEvent,
)

if TYPE_CHECKING:
    import torch

    from shindan.probes.look import Look
    from shindan.probes.session import Session


class Probe:
    """Override only the events you need: an event nobody overrides costs nothing.

    Handlers run under ``no_grad``, must not synchronise with the device (``session.mail.post``
    delivers scalars later), must not use the run's random numbers, and must leave everything as
    it was. An exception in a handler is told as our failure and disables that handler.
    """

    def on_start(self, session: "Session") -> None:
        """Keep the session, if needed."""

    def on_optimizer(self, optimizer: "torch.optim.Optimizer") -> None:
        """An optimizer was built."""

    def on_forward(self, call: ForwardCall) -> None:
        """A root call begins."""

    def on_output(self, call: ForwardCall) -> None:
        """A root call has returned: ``call.output`` is there."""

    def on_loss(self, call: LossCall) -> None:
        """A loss function returned (training and evaluation)."""

    def on_backward(self, backward: BackwardCall) -> None:
        """Backward begins: the autograd graph is alive."""

    def on_backward_done(self, backward: BackwardCall) -> None:
        """Backward has returned: gradients are there."""

    def on_clip(self, clip: ClipCall) -> None:
        """Gradients were clipped."""

    def on_norm(self, norm: "torch.Tensor", tensors: "list[torch.Tensor]") -> None:
        """``get_total_norm`` of these tensors was asked for."""

    def on_hook(self, call: HookCall) -> None:
        """A gradient hook of the user's own ran (sampled micro-steps only)."""

    def on_scaler(self, event: ScalerEvent) -> None:
        """A GradScaler was used."""

    def on_step(self, step: OptimizerStep) -> None:
        """An optimizer is about to step (with a closure: before its backward)."""

    def on_step_done(self, step: OptimizerStep) -> None:
        """An optimizer has stepped."""

    def on_zero_grad(self, owner: object) -> None:
        """``zero_grad`` of an optimizer or module is about to run."""

    def on_batch(self, event: BatchEvent) -> None:
        """A DataLoader handed out a batch."""

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """A checkpoint was saved or loaded."""

    def on_checkpointed(self, call: CheckpointedCall) -> None:
        """A part of the model was called under reentrant gradient checkpointing."""

    def on_settings(self, event: SettingsEvent) -> None:
        """Configuration was read."""

    def on_log(self, event: LogEvent) -> None:
        """The script printed or logged something."""

    def on_look(self, look: "Look") -> None:
        """A deep look: replay and intervene freely, everything is put back afterwards."""

    def on_crash(self, error: BaseException) -> None:
        """The script raised."""

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The evidence so far; may be asked more than once while the run goes on."""
        return ()


EVENTS = tuple(n for n in vars(Probe) if n.startswith("on_"))
