"""Listens to the attention calls of one replay: masks, axes, shapes."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from shindan.core.evidence.interventions import AttentionCall, Scramble, WrongAxis
from shindan.core.finding import Where
from shindan.probes.calls import Call
from shindan.probes.reshapes import coincides, heads_crossed

CARRIED = frozenset(
    (
        "dropout",
        "to",
        "type_as",
        "float",
        "half",
        "bfloat16",
        "clone",
        "contiguous",
        "transpose",
        "swapaxes",
        "permute",
        "movedim",
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "unsqueeze",
        "squeeze",
        "expand",
        "masked_fill",
        "nan_to_num",
        ".T",
        ".mT",
    )
)
"""What leaves a softmax's weights the weights of the same softmax."""
PRODUCTS = ("matmul", "bmm", "einsum", "baddbmm")
RESHAPES = ("view", "reshape", "flatten", "unflatten")
OFF, ON = 0.05, 0.01
"""Mean distance of sums of weights from 1: at least OFF along the axis used and at most ON along
another one. A softmax's own sums are within rounding (1e-2 in bfloat16)."""
KEPT = 16
LOWEST = -30.0
"""exp of it is below 1e-13: a place with such an additive mask is closed."""


class Audit:
    """Give :meth:`hear` to ``recording``; afterwards read the lists."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.calls: list[AttentionCall] = []
        self.wrong: list[WrongAxis] = []
        self.scrambles: list[Scramble] = []
        self.coincides = False
        self._softmax = WeakTensorKeyDictionary()

    def hear(self, call: Call) -> None:
        """One torch function has returned."""
        if call.name == "softmax" and isinstance(call.result, Tensor):
            self._softmax[call.result] = call.where()
        elif call.name in CARRIED and call.args and isinstance(call.result, Tensor):
            self._carry(call)
        elif call.name in PRODUCTS:
            self._product(call)
        elif call.name == "scaled_dot_product_attention":
            self._fused(call)
        elif call.name == "multi_head_attention_forward":
            self._module(call)
        if call.name in RESHAPES:
            self._reshape(call)

    def _carry(self, call: Call) -> None:
        source = call.args[0]
        if isinstance(source, Tensor) and source in self._softmax:
            self._softmax[call.result] = self._softmax[source]

    def _reshape(self, call: Call) -> None:
        if not (call.args and isinstance(call.args[0], Tensor) and isinstance(call.result, Tensor)):
            return
        before, after = tuple(call.args[0].shape), tuple(call.result.shape)
        self.coincides |= coincides(before, after, self.length)
        heads = heads_crossed(before, after, self.length)
        if heads is None or not call.result.is_floating_point():
            return
        where = call.where()
        line = (where.file, where.line)
        if line not in [(s.where.file, s.where.line) for s in self.scrambles]:
            _once(self.scrambles, Scramble(where, before, after, heads))

    # -- attention written out ----------------------------------------------------------------

    def _product(self, call: Call) -> None:
        for weights, axis in _weights(call):
            if weights in self._softmax and weights.ndim >= 3 and weights.shape[axis] > 1:
                self._judge(weights, axis, self._softmax[weights], call)

    def _judge(self, weights: Tensor, axis: int, where: Where, call: Call) -> None:
        """``axis`` (from the right) of the softmax's result is summed with values."""
        p = weights.float()
        error = _distance(p, axis)
        others = {a: _distance(p, a) for a in range(-p.ndim, 0) if a != axis and p.shape[a] > 1}
        best = min(others, key=lambda a: others[a], default=None)
        if error >= OFF and best is not None and others[best] <= ON:
            shape = tuple(weights.shape)
            _once(self.wrong, WrongAxis(where, shape, best, axis, round(error, 4)))
        future = None
        if axis == -1 and tuple(p.shape[-2:]) == (self.length, self.length):
            future = float(p.triu(1).nan_to_num(0.0).sum(-1).mean())
        self._note("softmax", where, weights.shape[axis], future)

    # -- fused attention ----------------------------------------------------------------------

    def _fused(self, call: Call) -> None:
        query, key = call.get(0, "query"), call.get(1, "key")
        mask, causal = call.get(3, "attn_mask"), bool(call.get(5, "is_causal", False))
        if isinstance(query, Tensor) and isinstance(key, Tensor):
            future = self._open(query.shape[-2], key.shape[-2], mask, causal, allowed=True)
            self._note("scaled_dot_product_attention", call.where(), key.shape[-2], future)

    def _module(self, call: Call) -> None:
        query, key = call.args[0], call.args[1]
        mask, causal = call.kwargs.get("attn_mask"), bool(call.kwargs.get("is_causal", False))
        if isinstance(query, Tensor) and isinstance(key, Tensor):
            causal = causal and mask is None
            future = self._open(query.shape[0], key.shape[0], mask, causal, allowed=False)
            self._note("MultiheadAttention", call.where(), key.shape[0], future)

    def _open(self, q: int, k: int, mask: Any, causal: bool, allowed: bool) -> float | None:
        """Share of the places after the query that the mask leaves open."""
        if not q == k == self.length or q < 2:
            return None
        if causal or not isinstance(mask, Tensor):
            return 0.0 if causal else 1.0
        places = (mask == allowed) if mask.dtype == torch.bool else mask > LOWEST
        if places.shape[-2] not in (1, q):
            return None
        wide = places.expand(*places.shape[:-2], q, k).float()
        return float(wide.triu(1).sum() / (wide.numel() / (q * k) * q * (q - 1) / 2))

    def _note(self, kind: str, where: Where, length: int, future: float | None) -> None:
        call = AttentionCall(kind, where, length, future)
        place = (where.file, where.line, length)
        same = [
            i for i, c in enumerate(self.calls) if (c.where.file, c.where.line, c.length) == place
        ]
        if not same:
            _once(self.calls, call)
        elif future is not None and (self.calls[same[0]].future or 0.0) < future:
            self.calls[same[0]] = call


def _once(found: list[Any], item: Any) -> None:
    if len(found) < KEPT and item not in found:
        found.append(item)


def _distance(p: Tensor, axis: int) -> float:
    """Mean distance of the finite sums from 1 (0 when there is none)."""
    apart = (p.sum(axis) - 1).abs()
    apart = apart[apart.isfinite()]
    return float(apart.mean()) if len(apart) else 0.0


def _weights(call: Call) -> list[tuple[Tensor, int]]:
    """(operand, the axis of it that is summed over, from the right) of a product."""
    if call.name == "einsum":
        return _einsum(call)
    first = 1 if call.name == "baddbmm" else 0
    pairs = zip(call.args[first : first + 2], (-1, -2), strict=False)
    return [(t, axis) for t, axis in pairs if isinstance(t, Tensor) and t.ndim >= 2]


def _einsum(call: Call) -> list[tuple[Tensor, int]]:
    if not call.args or not isinstance(call.args[0], str) or "->" not in call.args[0]:
        return []
    inputs, output = call.args[0].replace(" ", "").split("->")
    operands = call.args[1] if isinstance(call.args[1], (list, tuple)) else call.args[1:]
    found = []
    for term, operand in zip(inputs.split(","), operands, strict=False):
        letters = term.replace("...", "")
        summed = [i - len(letters) for i, c in enumerate(letters) if c not in output]
        trailing = not term.endswith("...")
        if isinstance(operand, Tensor) and len(summed) == 1 and trailing:
            found.append((operand, summed[0]))
    return found
