"""The part of a loss's graph that was built outside the model, read from what its nodes keep.

It cannot be replayed (it is the script's own code), but it is alive at ``backward``: a node of
``log`` keeps its argument, one of ``sqrt`` its result, one of a division its divisor.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from shindan.core.evidence.nonfinite import Operand, Operation, Phase
from shindan.core.finding import Where
from shindan.probes.frames import is_user_file
from shindan.probes.optrace import describe, operation_of

LIMIT = 200
"""Nodes walked at most: hand-written losses have tens."""

Lines = dict[tuple[str, ...], tuple[Where, ...]]


def newest(loss: Tensor, after: int) -> list[Any]:
    """The nodes of the loss's graph made after sequence number ``after``, in order of making."""
    found: dict[int, Any] = {}
    waiting = [loss.grad_fn]
    while waiting and len(found) < LIMIT:
        node = waiting.pop()
        if node is None or node.name().endswith("AccumulateGrad"):
            continue
        number = node._sequence_nr()
        if number >= after and number not in found:
            found[number] = node
            waiting.extend(n for n, _ in node.next_functions)
    return [found[k] for k in sorted(found)]


def structure(nodes: list[Any]) -> tuple[str, ...]:
    """Equal for two steps that ran the same code."""
    return tuple(n.name() for n in nodes)


def dangerous(nodes: list[Any]) -> bool:
    """Could the gradient be NaN although the loss is finite?"""
    return any(operation_of(n) in BACKWARD and not _by_a_number(n) for n in nodes)


def written(nodes: list[Any]) -> tuple[Where, ...]:
    """The user's line of each node, where anomaly mode kept a traceback."""
    return tuple(_line(n.metadata.get("traceback_") or ()) for n in nodes)


def forward_fault(nodes: list[Any]) -> tuple[int, Operation] | None:
    """The first node whose own operation gave a non-finite result."""
    return next(_guilty(nodes, FORWARD, "forward"), None)


def backward_fault(nodes: list[Any]) -> tuple[int, Operation] | None:
    """The first node, in order of the backward, whose gradient cannot be finite."""
    return next(_guilty(nodes, BACKWARD, "backward"), None)


def _by_a_number(node: Any) -> bool:
    """A division by one number, as every accumulating script does."""
    other = getattr(node, "_saved_other", None)
    return isinstance(other, Tensor) and other.numel() == 1


Rule = Callable[[Any], tuple[Tensor, ...] | None]
"""Gives the tensors that convict the node, or None."""


def _guilty(
    nodes: list[Any], rules: dict[str, Rule], phase: Phase
) -> Iterator[tuple[int, Operation]]:
    order = range(len(nodes)) if phase == "forward" else range(len(nodes) - 1, -1, -1)
    for i in order:
        rule = rules.get(operation_of(nodes[i]))
        convicting = _asked(rule, nodes[i]) if rule else None
        if convicting is None:
            continue
        kind = operation_of(nodes[i])
        operands = tuple(_operand(nodes[i], n, t) for n, t in enumerate(convicting))
        dead = rows = 0
        if kind in ("softmax", "log_softmax"):
            dead, rows = int(convicting[0].isnan().all(-1).sum()), convicting[0][..., 0].numel()
        yield i, Operation(kind, phase, operands, None, dead_rows=dead, rows=rows)


def _asked(rule: Rule, node: Any) -> tuple[Tensor, ...] | None:
    try:
        return rule(node)
    except RuntimeError:  # the saved tensor was freed or changed in place
        return None


def _operand(node: Any, number: int, t: Tensor) -> Operand:
    """A divisor depends on parameters when its own node does."""
    told = describe(t)
    if operation_of(node) != "div":
        return told
    following = node.next_functions
    depends = len(following) > 1 and following[1][0] is not None
    return Operand(**{**vars(told), "graph": depends})


def _zero(name: str) -> Rule:
    return lambda n: _if(getattr(n, name), (getattr(n, name) == 0).any())


def _not_positive(name: str) -> Rule:
    return lambda n: _if(getattr(n, name), (getattr(n, name) <= 0).any())


def _not_finite(name: str) -> Rule:
    return lambda n: _if(getattr(n, name), not bool(getattr(n, name).isfinite().all()))


def _if(t: Tensor, condition: Any) -> tuple[Tensor, ...] | None:
    return (t,) if bool(condition) else None


def _power(node: Any) -> tuple[Tensor, ...] | None:
    exponent = node._saved_exponent
    if not isinstance(exponent, (int, float)) or exponent >= 1 or exponent == 0:
        return None
    return _if(node._saved_self, (node._saved_self == 0).any())


def _negative_power(node: Any) -> tuple[Tensor, ...] | None:
    return _power(node) if node._saved_exponent < 0 else None


def _division(node: Any) -> tuple[Tensor, ...] | None:
    other = node._saved_other
    return _if(other, (other == 0).any()) if isinstance(other, Tensor) else None


def _nothing_counted(node: Any) -> tuple[Tensor, ...] | None:
    return _if(node._saved_total_weight, (node._saved_total_weight == 0).all())


def _nothing_averaged(node: Any) -> tuple[Tensor, ...] | None:
    return (torch.empty(0),) if node._saved_self_sym_numel == 0 else None


def _dead(node: Any) -> tuple[Tensor, ...] | None:
    result = node._saved_result
    return _if(result, result.isnan().all(-1).any() and not result.isnan().all())


BACKWARD: dict[str, Rule] = {
    "log": _zero("_saved_self"),
    "log2": _zero("_saved_self"),
    "log10": _zero("_saved_self"),
    "sqrt": _zero("_saved_result"),
    "pow": _power,
    "div": _division,
}
FORWARD: dict[str, Rule] = {
    "log": _not_positive("_saved_self"),
    "log2": _not_positive("_saved_self"),
    "log10": _not_positive("_saved_self"),
    "sqrt": _not_finite("_saved_result"),
    "rsqrt": _not_finite("_saved_result"),
    "reciprocal": _not_finite("_saved_result"),
    "exp": _not_finite("_saved_result"),
    "pow": _negative_power,
    "div": _division,
    "nll_loss": _nothing_counted,
    "nll_loss2d": _nothing_counted,
    "mean": _nothing_averaged,
    "softmax": _dead,
    "log_softmax": _dead,
}


def _line(traceback: Any) -> Where:
    """The innermost user frame of ``traceback.format_stack`` text."""
    for entry in reversed(traceback):
        found = re.match(r'\s*File "(.+?)", line (\d+)', entry)
        if found and is_user_file(found[1]) and "frozen" not in found[1]:
            return Where(found[1], int(found[2]))
    return Where()
