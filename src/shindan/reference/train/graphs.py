"""CUDA graphs, for models whose kernels take longer to start than to run."""

import gc
from collections.abc import Callable

import torch
from torch import Size, Tensor, nn

Function = Callable[..., dict[str, Tensor]]


class Graphed:
    """A function of tensors and of a module's parameters, and its backward, as two CUDA graphs.

    They are made at the first call and hold for its shapes. What comes out is overwritten by the
    next call, gradients included: use the gradients before it. The module is not owned, so that
    its parameters stay registered where they are.
    """

    def __init__(self, module: nn.Module, function: Function) -> None:
        self.called = _Called(module, function)
        self.shapes: list[Size] | None = None

    def __call__(self, *tensors: Tensor) -> dict[str, Tensor]:
        """The function's named results; ``ValueError`` for other shapes than at first."""
        shapes = [each.shape for each in tensors]
        if self.shapes is None:
            self.record(tuple(each.clone() for each in tensors))
            self.shapes = shapes
        if shapes != self.shapes:
            raise ValueError(f"graphs of shapes {self.shapes} were called with {shapes}")
        found: dict[str, Tensor] = self.called(*tensors)
        return found

    def record(self, tensors: tuple[Tensor, ...]) -> None:
        """Call the function a few times, then record it in place of ``called``'s forward.

        A cache of casts would be filled outside of the record, so there is none. A thread that
        pins memory would spoil the recording; the loop's has long made the next batch by then. So
        would earlier graphs that are freed meanwhile: what is unreachable goes first.
        """
        gc.collect()
        low, dtype = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        with torch.autocast("cuda", dtype, enabled=low, cache_enabled=False):
            torch.cuda.make_graphed_callables(self.called, tensors)


class _Called(nn.Module):
    """What ``make_graphed_callables`` asks for: a module that has the parameters."""

    def __init__(self, module: nn.Module, function: Function) -> None:
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *tensors: Tensor) -> dict[str, Tensor]:
        return self.function(*tensors)
