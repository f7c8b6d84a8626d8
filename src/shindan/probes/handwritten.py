"""Hand-written language losses, read from the live autograd graph.

``-log_softmax(x).gather(-1, y)`` or ``logp[range, y]`` call no loss function: their node keeps the
index and, below it, the log-softmax its result. A factor multiplied onto the gathered values is
the author's mask.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

IGNORE = -100
NODES = 48
"""Nodes looked at from the loss down; the tail of a loss is shorter."""
TAIL = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Neg",
    "Sum",
    "Mean",
    "Squeeze",
    "View",
    "Reshape",
    "Unsafe",
    "Select",
    "Slice",
    "To",
    "Stack",
    "Masked",
    "Where",
    "Expand",
    "Pow",
    "Permute",
    "Transpose",
)


@dataclass(eq=False)
class HandWritten:
    """Log-probabilities (N, V), labels (N,) with IGNORE where the mask is zero.

    ``node`` is the graph's node that picks the labels' values: the gradient that arrives there
    holds one number for each label.
    """

    log_probs: Tensor
    target: Tensor
    node: Any = None


def find(loss: Tensor) -> HandWritten | None:
    """The hand-written language loss in the graph above ``loss``, if there is one."""
    queue: deque[tuple[Any, Tensor | None]] = deque([(loss.grad_fn, None)])
    for _ in range(NODES):
        if not queue:
            return None
        node, mask = queue.popleft()
        if node is None:
            continue
        name = node.name()
        found = _gathered(node, name)
        if found is not None:
            return replace(_masked(*found, mask), node=node)
        if name.startswith(TAIL):
            mask = _mask(node, name, mask)
            queue.extend((n, mask) for n, _ in node.next_functions)
    return None


def _gathered(node: Any, name: str) -> tuple[Tensor, Tensor] | None:
    if name.startswith("Gather"):
        below = _log_softmax(node.next_functions[0][0])
        if below is None or below.shape[:-1] != node._saved_index.shape[:-1]:
            return None
        index = node._saved_index
        return (below, index[..., 0]) if index.shape[-1] == 1 else None
    if name.startswith("IndexBackward"):
        below = _log_softmax(node.next_functions[0][0])
        index = node._saved_indices[-1]
        if below is None or index is None or below.ndim != 2 or len(below) != index.numel():
            return None
        return below, index.reshape(-1)
    return None


def _log_softmax(node: Any) -> Tensor | None:
    """The result of the log-softmax that this node is, through views."""
    for _ in range(4):
        if node is None:
            return None
        name = node.name()
        if name.startswith("LogSoftmax"):
            result: Tensor = node._saved_result.detach()
            return result
        if not name.startswith(("View", "Unsafe", "Reshape", "To", "Slice", "Clone")):
            return None
        node = node.next_functions[0][0]
    return None


def _mask(node: Any, name: str, mask: Tensor | None) -> Tensor | None:
    if not name.startswith("MulBackward"):
        return mask
    for side in ("_saved_other", "_saved_self"):
        factor = getattr(node, side, None)
        if isinstance(factor, Tensor) and factor.ndim >= 1 and not factor.requires_grad:
            return factor.detach()
    return mask


def _masked(log_probs: Tensor, index: Tensor, mask: Tensor | None) -> HandWritten:
    target = index.detach().reshape(-1).clone()
    if mask is not None and mask.numel() == target.numel():
        target[mask.reshape(-1) == 0] = IGNORE
    return HandWritten(log_probs.reshape(-1, log_probs.shape[-1]), target)


def mean_loss(found: HandWritten) -> Tensor:
    """Mean negative log-probability of the labels that count (a scalar on the device)."""
    counted = found.target != IGNORE
    picked = found.log_probs.gather(1, found.target.clamp(min=0)[:, None])[:, 0]
    return -torch.where(counted, picked, 0.0).sum() / counted.sum()
