"""How queries and keys become scores: every constant between the projections and the softmax."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.computed import ScoreSite
from shindan.core.finding import NOWHERE, Where
from shindan.probes.calls import Call, tensors
from shindan.probes.flow import (
    KEEPING,
    NORMS,
    PRODUCTS,
    SCALINGS,
    Marks,
    Weights,
    constant,
    contracted,
    projected_width,
    rms,
)

SITES = 200
SAMPLE = 512
"""Scores compared before and after scaling."""
AGREE = 0.2
"""Share of the finite samples that must show the same factor: a causal mask leaves a half."""
ADDING = frozenset(("add", "add_", "iadd", "sub", "sub_", "isub"))
LARGEST = 1e4
"""Scores beyond are masked ones."""
ROTATION = (0.9, 1.6)
"""Largest factor of a table that turns rather than scales (RoPE; YaRN stretches it a little)."""


@dataclass(frozen=True)
class Signal:
    """A projection, or scores, on its way to a softmax.

    ``factors`` the constants so far; ``plain`` false once anything learned or unknown took part.
    ``bias`` is what was added to the scores of ``sample``, at the scale they have now.
    """

    width: int
    factors: tuple[float, ...] = ()
    plain: bool = True
    scores: bool = False
    d_head: int = 0
    q_rms: float = math.nan
    k_rms: float = math.nan
    sample: Tensor | None = None
    bias: Tensor | float = 0.0
    where: Where = NOWHERE

    @property
    def scale(self) -> float:
        """The product of the constants."""
        return math.prod(self.factors)


class AttentionTrace:
    """Hears the calls of a replay; ``sites`` are the attentions it understood."""

    def __init__(self, root: nn.Module) -> None:
        self.weights = Weights(root)
        self.marks: Marks[Signal] = Marks()
        self.sites: list[ScoreSite] = []

    def hear(self, call: Call) -> None:
        """Follow one call."""
        name = call.name
        if len(self.sites) >= SITES:
            return
        if name == "scaled_dot_product_attention":
            self._fused(call)
        elif name == "softmax":
            self._softmax(call)
        elif (width := projected_width(call, self.weights)) is not None:
            self.marks.put_all(call.result, Signal(width))
        elif name in PRODUCTS:
            self._product(call)
        else:
            self._changed(call)

    def _changed(self, call: Call) -> None:
        mark = self.marks.first(call)
        if mark is None:
            return
        if call.name in SCALINGS:
            self.marks.put_all(call.result, self._scaled(call, mark))
        elif call.name in NORMS:
            self.marks.put_all(call.result, replace(mark, plain=False))
        elif call.name in KEEPING:
            if mark.scores and call.name in ADDING:
                mark = self._biased(call, mark)
            self.marks.put_all(call.result, mark)

    def _scaled(self, call: Call, mark: Signal) -> Signal:
        a, b = call.get(0, "input"), call.get(1, "other")
        other = b if self.marks.get(a) is not None else a
        factor = constant(other)
        if factor is not None and self.marks.get(other) is None:
            if factor == 0 or not math.isfinite(factor):
                return replace(mark, plain=False)
            if "div" in call.name:
                factor = 1 / factor if other is b else math.nan
            if factor == 1:
                return mark
            return replace(
                mark,
                factors=(*mark.factors, factor),
                bias=mark.bias * factor,
                where=call.where(),
            )
        if isinstance(other, Tensor) and self._neutral(call, other, mark):
            return mark
        return replace(mark, plain=False)

    def _biased(self, call: Call, mark: Signal) -> Signal:
        """Scores to which a bias was added: relative positions, ALiBi, a mask of 0 and -inf.

        Scores taken from a bias, and ``alpha``, are not followed: then what is seen does not
        agree with what was computed, and is not judged.
        """
        operands = list(tensors((*call.args, *call.kwargs.values())))
        own = next(i for i, t in enumerate(operands) if self.marks.get(t) is mark)
        others = [t for i, t in enumerate(operands) if i != own]
        if len(others) != 1 or operands[own].shape != call.result.shape:
            return mark
        sign = -1.0 if "sub" in call.name else 1.0
        return replace(mark, bias=mark.bias + sign * _sample(others[0].expand(call.result.shape)))

    def _neutral(self, call: Call, other: Tensor, mark: Signal) -> bool:
        """A 0/1 mask on scores; a table of sines and cosines on projections."""
        if "div" in call.name or other.requires_grad or self.weights.name(other) is not None:
            return False
        if mark.scores:
            return bool(((other == 0) | (other == 1)).all())
        if other.shape[-1:] == (1,) or other.numel() < 4:
            return False
        low, high = ROTATION
        return low <= float(other.abs().max()) <= high

    def _product(self, call: Call) -> None:
        operands = list(tensors(call.args))
        if call.name == "baddbmm":
            operands = operands[1:]
        d = contracted(call)
        if d is None or len(operands) != 2:
            return
        q, k = (self.marks.get(t) for t in operands)
        if q is None or k is None or q.scores or k.scores:
            return
        extra = 1.0
        plain = q.plain and k.plain
        if call.name == "baddbmm":
            extra = constant(call.kwargs.get("alpha", 1.0)) or math.nan
            plain = plain and call.kwargs.get("beta", 1) == 0 and math.isfinite(extra)
        made = Signal(
            width=q.width,
            factors=(*q.factors, *k.factors, *(() if extra == 1.0 else (extra,))),
            plain=plain,
            scores=True,
            d_head=d,
            q_rms=rms(operands[0]) / abs(q.scale),
            k_rms=rms(operands[1]) / abs(k.scale),
            sample=_sample(call.result) / (q.scale * k.scale * extra),
            where=call.where(),
        )
        self.marks.put(call.result, made)

    def _softmax(self, call: Call) -> None:
        mark = self.marks.get(call.get(0, "input"))
        if mark is None or not mark.scores:
            return
        after = _sample(call.get(0, "input"))
        self._site(call, mark, mark.plain and _agrees(mark, after), fused=False)

    def _fused(self, call: Call) -> None:
        q, k = call.get(0, "query"), call.get(1, "key")
        first, second = self.marks.get(q), self.marks.get(k)
        if first is None or second is None:
            return
        scale, mask = call.kwargs.get("scale"), call.get(3, "attn_mask")
        added = isinstance(mask, Tensor) and mask.is_floating_point()
        own = q.shape[-1] ** -0.5 if scale is None else constant(scale)
        plain = first.plain and second.plain and own is not None
        if own is None:
            own = math.nan
        made = replace(
            first,
            factors=(*first.factors, *second.factors, *(() if own == 1 else (own,))),
            d_head=int(q.shape[-1]),
            q_rms=rms(q) / abs(first.scale),
            k_rms=rms(k) / abs(second.scale),
            bias=_sample(mask) if added else 0.0,
            where=call.where(),
        )
        self._site(call, made, plain, fused=True)

    def _site(self, call: Call, mark: Signal, plain: bool, fused: bool) -> None:
        self.sites.append(
            ScoreSite(
                module=call.module,
                d_head=mark.d_head,
                d_model=mark.width,
                scale=mark.scale,
                factors=mark.factors,
                q_rms=mark.q_rms,
                k_rms=mark.k_rms,
                plain=plain,
                fused=fused,
                biased=_varies(mark.bias),
                file=mark.where.file,
                line=mark.where.line,
            )
        )


def _sample(t: Any) -> Tensor:
    """About SAMPLE elements spread over the first few rows of the batch, in order."""
    flat = t.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLE)
    return torch.as_tensor(flat[::step][:SAMPLE], dtype=torch.float32).clone()


def _varies(bias: Tensor | float) -> bool:
    """More than a mask's two values?"""
    if not isinstance(bias, Tensor):
        return False
    return len(bias[bias.abs() < LARGEST].unique()) > 2


def _agrees(mark: Signal, after: Tensor) -> bool:
    """Do the scores before the softmax, less what was added, show the operations' factor?"""
    before = mark.sample
    if before is None or before.shape != after.shape:
        return False
    open_ = (after.abs() < LARGEST) & (before.abs() > 1e-6)
    after = after - mark.bias
    open_ &= after.isfinite()
    n = int(open_.sum())
    if n < 8:
        return False
    ratio = after[open_] / before[open_]
    near = (ratio / mark.scale - 1).abs() < 2e-2
    return float(near.float().mean()) >= AGREE
