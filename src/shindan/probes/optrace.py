"""A replay under a dispatch mode that remembers every operation with a non-finite result.

Forward operations are placed by the Python frames that run them, backward operations by the
sequence number of the autograd node that runs (nodes are numbered as the forward makes them).
"""

import bisect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from shindan.core.evidence.nonfinite import Operand, Operation, Phase
from shindan.core.finding import Where
from shindan.probes.frames import where
from shindan.probes.trees import leaves

KEPT = 4000
"""Operations remembered at most."""
CHAIN = 6
"""Operations told at most."""
TOLD = 4
"""Operands described of one operation."""
SOFTMAX = ("softmax", "log_softmax", "safe_softmax")
ALIASES = {"special_log1p": "log1p", "native_layer_norm": "layer_norm", "addmm": "linear"}


@dataclass(eq=False)
class _Happened:
    told: Operation
    results: list[Tensor]
    nan_from: list[int] = field(default_factory=list)
    inf_from: list[int] = field(default_factory=list)

    @property
    def has_nan(self) -> bool:
        return bool(self.told.result and self.told.result.nan)


class OpTrace(TorchDispatchMode):
    """Watches the operations run inside; ``chain`` tells what led to a tensor."""

    def __init__(self, root: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.happened: list[_Happened] = []
        self._names = {id(m): n for n, m in root.named_modules()}
        self._of_storage: dict[int, int] = {}
        self._numbers: list[int] = []
        self._places: list[Where] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation; remember it when its result is not finite."""
        node: Any = torch._C._current_autograd_node()
        if node is None:
            self._numbers.append(sequence_number())
            self._places.append(where(_module(self._names)))
        kwargs = kwargs or {}
        operands = [t for _, t in leaves([args, kwargs])]
        before = [describe(t) for t in operands[:TOLD]] if func._schema.is_mutable else None
        result = func(*args, **kwargs)
        results = [t for _, t in leaves([result]) if t.is_floating_point() and t.numel()]
        bad = [t for t in results if not bool(t.isfinite().all())]
        if bad and len(self.happened) < KEPT and not _is_view(bad[0], operands, func):
            self._remember(func, node, operands, before, bad)
        return result

    def _remember(
        self,
        func: Any,
        node: Any,
        operands: Sequence[Tensor],
        before: Sequence[Operand] | None,
        bad: list[Tensor],
    ) -> None:
        place = self._places[-1] if node is None else self._place_of(node)
        phase: Phase = "forward" if node is None else "backward"
        dead, rows = (0, 0)
        name = _name(func) if node is None else operation_of(node)
        if node is None and operands:
            dead, rows = dead_rows(name, operands)
        if before is None:
            before = [describe(t) for t in operands[:TOLD]]
        told = Operation(
            name, phase, tuple(before), describe(bad[0]),
            place.file, place.line, place.module, dead, rows,
        )  # fmt: skip
        made = _Happened(told, bad)
        for t in operands:
            source = self._of_storage.get(_storage(t))
            if source is not None and t.is_floating_point():
                if bool(t.isnan().any()):
                    made.nan_from.append(source)
                elif bool(t.isinf().any()):
                    made.inf_from.append(source)
        self.happened.append(made)
        for t in bad:
            self._of_storage[_storage(t)] = len(self.happened) - 1

    def _place_of(self, node: Any) -> Where:
        at = bisect.bisect_right(self._numbers, node._sequence_nr() + 1) - 1
        return self._places[max(at, 0)] if self._places else Where()

    def chain(self, targets: Sequence[Tensor]) -> tuple[Operation, ...]:
        """What led to the first target that is not finite, from the beginning on."""
        for wanted in (torch.isnan, torch.isinf):
            for t in targets:
                at = self._of_storage.get(_storage(t))
                if at is not None and bool(wanted(t).any()):
                    return self._back(at)
        return ()

    def _back(self, at: int) -> tuple[Operation, ...]:
        path, seen = [at], {at}
        nan = self.happened[at].has_nan
        while True:
            now = self.happened[path[-1]]
            nan = nan and bool(now.nan_from)
            sources = [s for s in (now.nan_from if nan else now.inf_from) if s not in seen]
            if not sources:
                break
            path.append(sources[0])
            seen.add(sources[0])
        told = [self.happened[i].told for i in reversed(path)]
        return tuple(_shortened(told))


def _shortened(told: list[Operation]) -> Iterator[Operation]:
    """From the beginning to the birth of the NaN; what only passes the NaN on is left out."""
    births = [i for i, o in enumerate(told) if o.result and o.result.nan]
    end = births[0] + 1 if births else len(told)
    kept = told[:end]
    yield from kept if len(kept) <= CHAIN else [*kept[: CHAIN // 2], *kept[-CHAIN // 2 :]]


def gradients(module: nn.Module, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of all parameters, of the loss among the outputs or else of a fixed direction."""
    able = [t for t in outputs if t.requires_grad]
    scalars = [t for t in able if t.numel() == 1]
    targets = scalars[:1] or able
    inputs = [p for p in module.parameters() if p.requires_grad]
    if not targets or not inputs:
        return []
    generator = torch.Generator().manual_seed(0)
    directions = [
        torch.ones_like(t)
        if t.numel() == 1
        else torch.randn(t.shape, generator=generator).to(t.dtype) / t.numel()
        for t in targets
    ]
    found = torch.autograd.grad(targets, inputs, directions, allow_unused=True)
    return [g for g in found if g is not None]


def sequence_number() -> int:
    """The number the next autograd node of this thread will get."""
    return int(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]


def describe(t: Tensor) -> Operand:
    """Range and counts of a tensor, (any shape) -> plain numbers."""
    graph, dtype = t.requires_grad, str(t.dtype).removeprefix("torch.")
    t = t.detach() if t.is_floating_point() else t.detach().double()
    finite = t.isfinite()
    inside = t[finite]
    some = bool(inside.numel())
    return Operand(
        shape=tuple(t.shape),
        dtype=dtype,
        low=float(inside.min()) if some else None,
        high=float(inside.max()) if some else None,
        size=t.numel(),
        zeros=int((inside == 0).sum()),
        nan=int(t.isnan().sum()),
        inf=int((t == float("inf")).sum()),
        negative_inf=int((t == float("-inf")).sum()),
        integral=some and bool((inside == inside.round()).all()),
        graph=graph,
    )


def dead_rows(name: str, operands: Sequence[Tensor]) -> tuple[int, int]:
    """Rows (along the last axis) without any live key, of how many: softmax, fused attention."""
    if name in SOFTMAX:
        scores = operands[0]
    elif "scaled_dot_product" in name and len(operands) > 3:
        scores = operands[3]
    else:
        return 0, 0
    dead = (scores == float("-inf")).all(-1)
    return int(dead.sum()), dead.numel()


def _name(func: Any) -> str:
    plain = str(getattr(func, "_overloadpacket", func)).rpartition(".")[2].strip("_")
    return ALIASES.get(plain, plain)


def operation_of(node: Any) -> str:
    """The operation a node belongs to: ``SqrtBackward0`` -> ``sqrt``."""
    plain = re.sub(r"Backward\d*$", "", node.name().rpartition("::")[2])
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plain).lower()


def _storage(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()


def _is_view(result: Tensor, operands: Sequence[Tensor], func: Any) -> bool:
    """The same memory seen otherwise (an operation in place is none)."""
    if func._schema.is_mutable:
        return False
    return any(_storage(result) == _storage(t) for t in operands)


def _module(names: Mapping[int, str]) -> str | None:
    """The innermost module of the root whose code is running."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        held = frame.f_locals.get("self")
        if isinstance(held, nn.Module) and id(held) in names:
            return names[id(held)] or None
        frame = frame.f_back
    return None
