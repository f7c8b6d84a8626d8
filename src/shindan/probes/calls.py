"""What a replay calls, one torch function at a time: a neutral recorder for probes.

Use inside a look::

    with recording(look.module, hear):
        look.call()

``hear`` is told of every outermost torch function, in order, after it has returned. It must keep
no tensor of the call longer than the replay, and must change none.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from shindan.core.finding import NOWHERE, Where
from shindan.probes import look
from shindan.probes.frames import is_library_file, is_user_file


@dataclass(eq=False)
class Call:
    """One torch function that has returned.

    ``name`` is the same for all spellings: ``a @ b`` and ``Tensor.matmul`` are ``matmul``,
    ``x *= 2`` is ``mul_``, ``1 / x`` is ``rdiv``, ``F.softmax`` and ``Tensor.softmax`` are
    ``softmax``, attributes have a dot (``.T``). ``module`` is the innermost module's name in the
    root (empty for the root itself).
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    module: str
    heard: dict[str, Any] = field(default_factory=dict)

    def get(self, position: int, keyword: str, default: Any = None) -> Any:
        """An argument by its position or its keyword."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(keyword, default)

    def where(self) -> Where:
        """The line that called it; only while it is being heard."""
        return replayed_line(self.module)


_LOOK = look.__file__

Hear = Callable[[Call], None]


@contextmanager
def recording(root: nn.Module, hear: Hear) -> Iterator[None]:
    """Tell ``hear`` of every torch function called inside, with the module it is called in."""
    stack: list[str] = []
    names = {id(m): n for n, m in root.named_modules()}

    def enter(module: nn.Module, args: Any) -> None:
        stack.append(names.get(id(module), ""))

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        if stack:
            stack.pop()

    class Recorder(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            call = Call(spelled(func), args, kwargs or {}, result, stack[-1] if stack else "")
            with torch._C.DisableTorchFunction(), torch.no_grad():
                hear(call)
            return result

    with ExitStack() as undo:
        for module in root.modules():
            undo.callback(module.register_forward_pre_hook(enter).remove)
            undo.callback(module.register_forward_hook(leave).remove)
        undo.enter_context(torch._C._EnableTorchFunction())
        undo.enter_context(Recorder())
        yield


def spelled(func: Any) -> str:
    """One name for all spellings of a torch function."""
    name: str = getattr(func, "__name__", "")
    if name == "__get__":
        return "." + str(getattr(getattr(func, "__self__", None), "__name__", ""))
    name = name.strip("_") + ("_" if name.endswith("_") and not name.endswith("__") else "")
    return {"truediv": "div", "rtruediv": "rdiv", "concat": "cat", "concatenate": "cat"}.get(
        name, name
    )


def replayed_line(module: str = "") -> Where:
    """The user's line within a replay, else the library's line that called torch.

    Frames outside the replay (the line that made the optimizer step) do not count.
    """
    frame: FrameType | None = sys._getframe(1)
    library: Where | None = None
    while frame is not None and frame.f_code.co_filename != _LOOK:
        name = frame.f_code.co_filename
        if is_user_file(name):
            return Where(name, frame.f_lineno, module or None)
        if library is None and is_library_file(name):
            library = Where(name, frame.f_lineno, module or None)
        frame = frame.f_back
    if library is not None:
        return library
    return Where(module=module) if module else NOWHERE


def tensors(items: Any) -> Iterator[Tensor]:
    """The tensors of an argument list, one level into lists and tuples."""
    for item in items:
        if isinstance(item, Tensor):
            yield item
        elif isinstance(item, (list, tuple)):
            yield from (t for t in item if isinstance(t, Tensor))
