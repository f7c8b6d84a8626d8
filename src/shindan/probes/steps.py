"""The cheap tier: what every step leaves (evidence ``Curve``)."""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.curve import Curve, EvalPoint, MicroStep, Update
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import (
    BackwardCall,
    ClipCall,
    LossCall,
    OptimizerStep,
    ScalerEvent,
)
from shindan.probes.gradients import gradient_norm
from shindan.probes.probe import Probe
from shindan.probes.session import Session

KEPT = 20_000
"""Points kept of each series; then every other one of the older half is dropped."""


@dataclass
class _Micro:
    index: int
    update: int
    loss: float = float("nan")
    ce: float | None = None
    labels: float | None = None
    weight: float | None = None
    lr: float | None = None


@dataclass
class _Update:
    index: int
    optimizer: int
    lr: tuple[float, ...]
    micro_steps: int
    grad_norm: float | None = None
    grad_norm_used: float | None = None
    clip: float | None = None
    scale: float | None = None
    skipped: bool = False


@dataclass
class _Eval:
    update: int
    total: float = 0.0
    labels: float = 0.0
    batches: int = 0
    pending: list[tuple[float, float]] = field(default_factory=list)


class Steps(Probe):
    """Losses, learning rates as used, gradient norms before and after clipping, evaluations."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.micro: list[_Micro] = []
        self.updates: list[_Update] = []
        self.evals: list[_Eval] = []
        self.names: weakref.WeakKeyDictionary[torch.optim.Optimizer, int] = (
            weakref.WeakKeyDictionary()
        )
        self.numbered = -1
        self.current: _Update | None = None
        self.pending_loss: tuple[Tensor, Tensor, dict[str, float]] | None = None

    def on_loss(self, call: LossCall) -> None:
        """Count labels; follow the gradient weight of a training loss; gather evaluation losses."""
        if call.kind not in LANGUAGE or call.target.is_floating_point():
            return
        counted = (call.target != call.params["ignore_index"]).sum()
        reduction = call.params["reduction"]
        if reduction == "none":
            mean = call.output.detach().sum() / counted
        elif reduction == "sum":
            mean = call.output.detach() / counted
        else:
            mean = call.output.detach()
        if not call.grad:
            self._evaluated(mean, counted)
            return
        seen: dict[str, float] = {}
        if self.pending_loss is None or call.target.numel() >= self.pending_loss[1].numel():
            self.pending_loss = (mean, call.target, seen)
            mail = self.session.mail
            mail.post(mean, lambda v: seen.__setitem__("ce", v))
            mail.post(counted, lambda v: seen.__setitem__("labels", v))
            if reduction != "none" and call.output.requires_grad:
                per_label = counted if reduction == "mean" else torch.ones_like(counted)

                def weigh(grad: Tensor) -> None:
                    weight = grad.detach() / per_label
                    mail.post(weight, lambda v: seen.__setitem__("weight", v))

                with torch.enable_grad():
                    call.output.register_hook(weigh)

    def on_backward(self, backward: BackwardCall) -> None:
        """One micro-step."""
        optimizer = self.session.main_optimizer
        step = _Micro(backward.index, backward.update)
        step.lr = float(optimizer.param_groups[0]["lr"]) if optimizer else None
        self.session.mail.post(backward.unscaled.detach(), lambda v: setattr(step, "loss", v))
        if self.pending_loss is not None:
            seen = self.pending_loss[2]
            step.__dict__["seen"] = seen
            self.pending_loss = None
        scale = backward.scale
        if scale is not None:
            self.session.mail.post(scale, lambda v: step.__dict__.__setitem__("scale", v))
        self.micro.append(step)
        _thin(self.micro)

    def on_clip(self, clip: ClipCall) -> None:
        """The norm that clipping saw, unscaled."""
        if clip.norm is None:
            return
        norm = clip.norm if clip.scale is None else clip.norm / clip.scale
        self.clipped = (norm, clip.max_norm, clip.norm)

    clipped: tuple[Tensor, float, Tensor] | None = None

    def on_step(self, step: OptimizerStep) -> None:
        """LR as used, and the gradient norm (shared with clipping)."""
        if step.optimizer not in self.names:  # an optimizer that is gone keeps its number
            self.names[step.optimizer] = self.numbered = self.numbered + 1
        number = self.names[step.optimizer]
        lr = tuple(float(g["lr"]) for g in step.optimizer.param_groups)
        made = _Update(step.update, number, lr, step.micro)
        self.current = made
        self.updates.append(made)
        _thin(self.updates)
        if not step.closure:
            self._norms(step, made)

    def on_step_done(self, step: OptimizerStep) -> None:
        """With a closure the gradients are there only now."""
        made = self.current
        if made is not None:
            made.micro_steps = step.micro
            if step.closure:
                self._norms(step, made)

    def on_scaler(self, event: ScalerEvent) -> None:
        """The scale of an update; a skipped one leaves its own mark."""
        if event.kind != "step" or event.optimizer is None:
            return
        made = self.current
        if event.skipped or made is None:
            lr = tuple(float(g["lr"]) for g in event.optimizer.param_groups)
            made = _Update(
                self.session.update,
                self.names.get(event.optimizer, 0),
                lr,
                self.session.micro_since.get(event.optimizer, self.session.micro),
                skipped=event.skipped,
            )
            self.updates.append(made)
        if event.scale is not None:
            self.session.mail.post(event.scale, lambda v: setattr(made, "scale", v))

    def _norms(self, step: OptimizerStep, made: _Update) -> None:
        mail = self.session.mail
        if self.clipped is not None:
            norm, limit, raw = self.clipped
            self.clipped = None
            made.clip = limit
            mail.post(norm, lambda v: setattr(made, "grad_norm", v))
            used = norm * (limit / (raw + 1e-6)).clamp(max=1.0)
            mail.post(used, lambda v: setattr(made, "grad_norm_used", v))
            return
        total = gradient_norm(step)
        if total is not None:
            mail.post(total, lambda v: setattr(made, "grad_norm", v))
            mail.post(total, lambda v: setattr(made, "grad_norm_used", v))

    def _evaluated(self, mean: Tensor, counted: Tensor) -> None:
        update = self.session.update
        if not self.evals or self.evals[-1].update != update:
            self.evals.append(_Eval(update))
        point = self.evals[-1]
        point.batches += 1
        total = mean * counted

        def add(value: float, name: str) -> None:
            setattr(point, name, getattr(point, name) + value)

        self.session.mail.post(total, lambda v: add(v, "total"))
        self.session.mail.post(counted, lambda v: add(v, "labels"))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The curve so far."""
        yield Curve(
            micro=tuple(_micro(m) for m in self.micro),
            updates=tuple(Update(**vars(u)) for u in self.updates),
            evals=tuple(
                EvalPoint(e.update, e.total / e.labels, e.batches, int(e.labels))
                for e in self.evals
                if e.labels
            ),
            total_micro=self.session.micro,
            total_updates=self.session.update,
            ended=self.session.ended,
        )


def _micro(step: _Micro) -> MicroStep:
    values = dict(vars(step))
    seen = values.pop("seen", {})
    scale = values.pop("scale", 1.0)
    weight = seen.get("weight")
    values.update(
        ce=seen.get("ce"),
        labels=int(seen["labels"]) if "labels" in seen else None,
        weight=weight / scale if weight is not None else None,
    )
    return MicroStep(**values)


def _thin(series: list[_Micro] | list[_Update]) -> None:
    if len(series) > KEPT:
        del series[1 : KEPT // 2 : 2]
