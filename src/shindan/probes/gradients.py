"""The gradient norm of an update, computed once for all probes that want it."""

import torch
from torch import Tensor

from shindan.probes.events import OptimizerStep
from shindan.probes.session import parameters


def gradient_norm(step: OptimizerStep) -> Tensor | None:
    """L2 norm over all gradients of the optimizer, () on the device; None without any."""
    if step.norm is None:
        step.norm = _norm(step.optimizer)
    return step.norm


def _norm(optimizer: torch.optim.Optimizer) -> Tensor | None:
    grads = [
        p.grad
        for p in parameters(optimizer)
        if p.grad is not None and not p.grad.is_sparse and p.grad.numel()
    ]
    if not grads:
        return None
    norms = torch._foreach_norm(grads)
    total: Tensor = torch.linalg.vector_norm(
        torch.stack([n.to(grads[0].device, torch.float32) for n in norms])
    )
    return total
