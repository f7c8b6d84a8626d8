"""Do updates survive the parameters' own precision? (evidence ``LowPrecision``)"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.precision import LostSample, LowPrecision
from shindan.core.reason import Reason
from shindan.probes.events import OptimizerStep
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters

LOW = (torch.bfloat16, torch.float16)
TENSORS = 16
ELEMENTS = 1024
COMPENSATED = ("master", "kahan", "shift", "compensation", "stochastic")
"""Words in the state or the settings of optimizers that make up for the rounding."""


@dataclass(eq=False)
class _Sample:
    update: int
    lr: float
    pushed: float = 0.0
    unmoved: float = 0.0


class Precision(Probe):
    """Compares sampled elements before and after steps 1, 2, 4, 8, ..."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.samples: list[_Sample] = []
        self.before: list[tuple[Tensor, Tensor, Tensor]] = []
        self.facts: tuple[str, str, int, float] | None = None

    def on_step(self, step: OptimizerStep) -> None:
        """Copy a few elements of low-precision parameters and where they have a gradient."""
        if step.closure or step.update & (step.update - 1) or step.update == 0:
            return
        if step.optimizer is not self.session.main_optimizer:
            return
        held = list(parameters(step.optimizer))
        low = [p for p in held if p.dtype in LOW]
        fed = [p for p in low if p.grad is not None and not p.grad.is_sparse]
        if not fed or _compensated(step.optimizer):
            return
        total = sum(p.numel() for p in held)
        elements = sum(p.numel() for p in low)
        dtype = str(low[0].dtype).removeprefix("torch.")
        self.facts = dtype, type(step.optimizer).__name__, elements, elements / max(total, 1)
        every = max(1, len(fed) // TENSORS)
        self.before = [
            (p, _part(p).clone(), _part(p.grad) != 0)
            for p in fed[::every][:TENSORS]
            if p.grad is not None
        ]

    def on_step_done(self, step: OptimizerStep) -> None:
        """How many of them moved?"""
        before, self.before = self.before, []
        if not before:
            return
        sample = _Sample(step.update, float(step.optimizer.param_groups[0]["lr"]))
        self.samples.append(sample)
        pushed = torch.stack([there.sum() for _, _, there in before]).sum()
        same = torch.stack([((_part(p) == old) & there).sum() for p, old, there in before]).sum()
        self.session.mail.post(pushed, lambda v: setattr(sample, "pushed", v))
        self.session.mail.post(same, lambda v: setattr(sample, "unmoved", v))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The samples so far."""
        if self.facts is None:
            yield Unavailable("LowPrecision", Reason("no-low-precision"))
            return
        samples = tuple(
            LostSample(s.update, s.lr, int(s.pushed), int(s.unmoved)) for s in self.samples
        )
        yield LowPrecision(*self.facts, samples)


def _part(t: Tensor) -> Tensor:
    flat = t.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)][:ELEMENTS]


def _compensated(optimizer: torch.optim.Optimizer) -> bool:
    """Does it keep the lost part, or round at random?"""
    words = [
        type(optimizer).__name__,
        *(k for g in optimizer.param_groups for k, v in g.items() if v),
    ]
    words += [k for s in list(optimizer.state.values())[:1] for k in s if isinstance(k, str)]
    return any(c in w.lower() for w in words for c in COMPENSATED)
