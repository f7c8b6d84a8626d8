"""What in a model and its source says that positions are wanted, or that they are not."""

import inspect
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from torch import Tensor, nn

from shindan.probes.calls import Call, tensors
from shindan.probes.frames import is_user_file
from shindan.probes.names import flags, spoken

OTHER = re.compile(
    r"rotary|rope|alibi|slopes|freqs|inv_freq|rel(ative)?_|(^|[._])(cos|sin)([._]|$)", re.IGNORECASE
)
SWITCH = re.compile(r"rotary|rope|alibi|(^|_)pos(_|$|ition)|(^|_)pe($|_)", re.IGNORECASE)
OFF = (None, False, "", "none", "nope", "no", "off")
DECLINED = re.compile(
    r"\bnope\b|\bno_?(rope|rotary|pe|pos\w*)\b|\b(no|without)[ -](any )?(rope|rotary|position)",
    re.IGNORECASE,
)


class Signs:
    """Hears one replay; ``found`` is the first position scheme seen at work in it."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self.found = ""
        self.trigonometry = False
        kinds = {n: type(m).__name__ for n, m in root.named_modules()}
        self._modules = {n for n in kinds if n and (OTHER.search(n) or OTHER.search(kinds[n]))}
        self._held = dict(_held(root))

    def hear(self, call: Call) -> None:
        """A module of that name, a table of that name, or trigonometry."""
        turned = call.name in ("cos", "sin", "polar")
        self.trigonometry |= turned
        if self.found:
            return
        table = next((self._held[id(t)] for t in tensors(call.args) if id(t) in self._held), "")
        inside = call.module if call.module in self._modules else ""
        self.found = table or inside or (call.name if turned else "")

    def sign(self) -> str:
        """What was at work, else a rotation that the model's source defines and nothing names."""
        return self.found or next(_forgotten(self.root), "")

    def declined(self) -> bool:
        """Does a switch stand at off, or the source say so?"""
        if any(SWITCH.search(name) and not on for name, on in flags().items()):
            return True
        return any(_off(m) for m in self.root.modules()) or spoken(DECLINED)


def _held(root: nn.Module) -> Iterator[tuple[int, str]]:
    for prefix, module in root.named_modules():
        for name, value in {**vars(module), **module._buffers}.items():
            if isinstance(value, Tensor) and OTHER.search(name):
                yield id(value), f"{prefix}.{name}" if prefix else name


def _off(module: nn.Module) -> bool:
    config = getattr(module, "config", None)
    given = {**vars(module), **(vars(config) if hasattr(config, "__dict__") else {})}
    return any(
        DECLINED.search(name) or (SWITCH.search(name) and _is_off(value))
        for name, value in given.items()
    )


def _is_off(value: Any) -> bool:
    if value is None or isinstance(value, (bool, str)):
        return (value.lower() if isinstance(value, str) else value) in OFF
    return False


def _forgotten(root: nn.Module) -> Iterator[str]:
    """Functions of a sine and a cosine that no code of the model's files names."""
    items = [item for space in _namespaces(root) for item in space.items()]
    functions = {name: f for name, f in items if _users(f)}
    methods = [f for _, kind in items if isinstance(kind, type) for f in vars(kind).values()]
    codes = [f.__code__ for f in (*functions.values(), *methods) if _users(f)]
    for name, function in functions.items():
        own = function.__code__
        rotates = {"cos", "sin"} <= {*_names(own), *own.co_varnames}
        if rotates and not any(name in _names(code) for code in codes if code is not own):
            yield name


def _namespaces(root: nn.Module) -> list[dict[str, Any]]:
    """The globals of the user's files that define the model's classes."""
    found = {}
    for module in root.modules():
        forward = inspect.unwrap(type(module).forward)
        if _users(forward):
            found[id(forward.__globals__)] = forward.__globals__
    return list(found.values())


def _users(value: Any) -> bool:
    return isinstance(value, FunctionType) and is_user_file(value.__code__.co_filename)


def _names(code: CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*(_names(c) for c in inner))
