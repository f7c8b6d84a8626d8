"""Whatever happens inside is undone: the run never notices a deep look."""

import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def rng_state() -> dict[str, Any]:
    """The generators' states: torch's (CPU, every initialised CUDA device), Python's, NumPy's."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        state["numpy"] = numpy.random.get_state()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Put back what :func:`rng_state` read."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    if "numpy" in state:
        sys.modules["numpy"].random.set_state(state["numpy"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def untouched(roots: Iterable[nn.Module]) -> Iterator[None]:
    """Restore RNG, modes, buffers, gradients and plain attributes of all modules on leaving."""
    modules = list({id(m): m for r in roots for m in r.modules()}.values())
    attributes = [(m, dict(vars(m)), dict(m._buffers)) for m in modules]
    buffers = {
        id(b): (b, b._version, b.detach().clone()) for m in modules for b in _tensors(m._buffers)
    }
    parameters = {id(p): p for m in modules for p in _tensors(m._parameters)}
    grads = [(p, p.grad) for p in parameters.values()]
    rng = rng_state()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        with torch.no_grad():
            for module, plain, held in attributes:
                _restore(module, plain, held)
            for buffer, version, value in buffers.values():
                if buffer._version != version:
                    buffer.copy_(value)
        for parameter, grad in grads:
            parameter.grad = grad
        set_rng_state(rng)


def _restore(module: nn.Module, plain: dict[str, Any], buffers: dict[str, Any]) -> None:
    now = vars(module)
    for name in set(now) - set(plain):
        del now[name]
    now.update(plain)
    module._buffers.clear()
    module._buffers.update(buffers)


def _tensors(named: Mapping[str, Tensor | None]) -> list[Tensor]:
    return [t for t in named.values() if t is not None]
