"""Following tensors through a replay by weak references, and the constants that scale them."""

import math
import weakref
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from shindan.probes.calls import Call, tensors

M = TypeVar("M")

_MOVED = """
view reshape transpose permute split chunk unbind getitem contiguous flatten unflatten
squeeze unsqueeze repeat_interleave expand expand_as clone to type_as type float half bfloat16
double cat stack movedim moveaxis swapaxes swapdims .T .mT neg dropout add sub add_ sub_ iadd isub
masked_fill masked_fill_ where tril triu view_as_complex view_as_real clamp clamp_ tanh narrow
select repeat detach view_as reshape_as roll index_select nan_to_num alias tensor_split
split_with_sizes hsplit unsafe_chunk masked_scatter
"""
KEEPING = frozenset(_MOVED.split())
"""Functions whose result is still the same signal: moved, masked, shifted, rotated, saturated."""

NORMS = frozenset(
    ("layer_norm", "rms_norm", "normalize", "group_norm", "batch_norm", "instance_norm")
)
PRODUCTS = frozenset(("matmul", "bmm", "einsum", "mm", "baddbmm"))
SCALINGS = frozenset(
    ("mul", "mul_", "div", "div_", "imul", "idiv", "itruediv", "multiply", "divide")
)


class Marks(Generic[M]):
    """What is known of tensors, as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], M]] = {}

    def get(self, tensor: Any) -> M | None:
        """The mark of this very tensor."""
        found = self._known.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def put(self, tensor: Tensor, mark: M) -> None:
        """Mark a tensor."""
        key = id(tensor)

        def gone(ref: "weakref.ref[Tensor]") -> None:
            if (found := self._known.get(key)) is not None and found[0] is ref:
                del self._known[key]

        self._known[key] = (weakref.ref(tensor, gone), mark)

    def drop(self, tensor: Tensor) -> None:
        """Forget a tensor."""
        self._known.pop(id(tensor), None)

    def put_all(self, result: Any, mark: M) -> None:
        """Mark a result and the tensors of a tuple of results."""
        for t in tensors(result if isinstance(result, (list, tuple)) else (result,)):
            self.put(t, mark)

    def first(self, call: Call) -> M | None:
        """The mark of the first marked argument."""
        for t in tensors((*call.args, *call.kwargs.values())):
            found = self.get(t)
            if found is not None:
                return found
        return None


def constant(value: Any) -> float | None:
    """A number or a one-element tensor that is not learned."""
    if isinstance(value, (bool, str)):
        return None
    if isinstance(value, Tensor):
        if value.numel() != 1 or learned(value) or value.is_complex():
            return None
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def learned(value: Any) -> bool:
    """A parameter, or made from one."""
    return isinstance(value, nn.Parameter) or (isinstance(value, Tensor) and value.requires_grad)


def rms(t: Tensor) -> float:
    """Root mean square of all elements."""
    return float(t.float().square().mean().sqrt()) if t.numel() else math.nan


class Weights:
    """Which parameter a tensor is, or is a view of."""

    def __init__(self, root: nn.Module) -> None:
        self._names: dict[int, tuple[str, nn.Parameter]] = {}
        for name, p in root.named_parameters():
            if p.numel():
                self._names.setdefault(p.untyped_storage().data_ptr(), (name, p))

    def name(self, value: Any) -> str | None:
        """The parameter's name, when it has the tensor's storage and size."""
        if not isinstance(value, Tensor) or not value.numel():
            return None
        found = self._names.get(value.untyped_storage().data_ptr())
        return found[0] if found is not None else None


def projected_width(call: Call, weights: Weights) -> int | None:
    """Width of the activation that this call projects by a weight; None for other calls."""
    if call.name in ("linear", "conv1d"):
        x = call.args[0]
        return int(x.shape[-1] if call.name == "linear" else x.shape[1])
    if call.name == "addmm" and weights.name(call.args[2]) is not None:
        return int(call.args[1].shape[-1])
    if call.name not in PRODUCTS:
        return None
    operands = list(tensors(call.args))
    held = [weights.name(t) is not None for t in operands]
    if len(operands) < 2 or sum(held) != 1:
        return None
    other = operands[held.index(False)]
    return int(other.shape[-1])


def contracted(call: Call) -> int | None:
    """Size of the dimension that a product of two activations sums over."""
    operands = list(tensors(call.args))
    if call.name == "einsum":
        return _einsum_contracted(call, operands)
    if call.name == "baddbmm":
        operands = operands[1:]
    return int(operands[0].shape[-1]) if len(operands) == 2 else None


def _einsum_contracted(call: Call, operands: list[Tensor]) -> int | None:
    equation = call.args[0]
    if not isinstance(equation, str) or len(operands) != 2 or "->" not in equation:
        return None
    left, out = equation.replace(" ", "").replace("...", "").split("->")
    a, b = left.split(",")
    summed = [c for c in a if c in b and c not in out]
    if len(summed) != 1:
        return None
    return int(operands[0].shape[a.index(summed[0]) - len(a)])


def spread(t: Tensor, dims: tuple[int, ...]) -> float:
    """RMS around the mean over ``dims``."""
    wide = t.float()
    return rms(wide - wide.mean(dims, keepdim=True))


def real(result: Any) -> bool:
    """A floating-point tensor."""
    return isinstance(result, Tensor) and (result.is_floating_point() or result.is_complex())
