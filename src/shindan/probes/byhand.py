"""Updates made without an optimizer: ``p.data.add_(p.grad, alpha=-lr)`` in the script's own loop.

One small parameter is remembered after ``backward``; when it has changed by the next ``zero_grad``
or forward pass, that was an update. A plain SGD object stands in for the missing optimizer, so that
every ledger works; its learning rate is the one that explains the change.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class ByHand:
    """Notices updates of the roots' parameters that no optimizer made (CPU only)."""

    def __init__(self) -> None:
        self.roots: list[nn.Module] = []
        self._before: tuple[Tensor, Tensor] | None = None
        self.stand_in: torch.optim.Optimizer | None = None
        self._owned: list[Tensor] = []

    def after_backward(self, roots: Iterable[nn.Module]) -> None:
        """Remember one small parameter that has a gradient, until it changes."""
        self.roots = list({id(r): r for r in roots}.values()) or self.roots
        if self._before is not None:
            return
        candidates = [
            p
            for r in self.roots
            for p in r.parameters()
            if p.grad is not None and p.device.type == "cpu" and p.numel() > 1
        ]
        if candidates:
            chosen = min(candidates, key=lambda p: p.numel())
            self._before = chosen, chosen.detach().clone()

    def updated(self) -> torch.optim.Optimizer | None:
        """The stand-in optimizer when the remembered parameter has changed."""
        if self._before is None or torch.equal(self._before[0], self._before[1]):
            return None
        parameter, old = self._before
        self._before = None
        return self._optimizer(_rate(old, parameter))

    def _optimizer(self, rate: float | None) -> torch.optim.Optimizer:
        owned: list[Tensor] = [p for r in self.roots for p in r.parameters() if p.requires_grad]
        same = len(owned) == len(self._owned) and all(
            a is b for a, b in zip(owned, self._owned, strict=True)
        )
        if self.stand_in is None or not same:
            self.stand_in = torch.optim.SGD(list({id(p): p for p in owned}.values()), lr=0.0)
            self._owned = owned
        if rate is not None:
            for group in self.stand_in.param_groups:
                group["lr"] = rate
        return self.stand_in


def _rate(old: Tensor, parameter: Tensor) -> float | None:
    """The learning rate of the plain step that explains the change; None when none does."""
    grad = parameter.grad
    if grad is None or not bool(grad.any()):
        return None
    change = parameter.detach() - old
    rate = -float((change * grad).sum() / (grad * grad).sum())
    explained = torch.allclose(change, -rate * grad, rtol=1e-2, atol=1e-8)
    return rate if explained and rate > 0 else None
