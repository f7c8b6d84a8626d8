"""Tensors inside nested arguments and outputs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

DEPTH = 4


def leaves(tree: Any, name: str = "", depth: int = DEPTH) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a nested structure, with a readable path (``kwargs.labels``, ``0``)."""
    if isinstance(tree, Tensor):
        yield name, tree
    elif depth and isinstance(tree, Mapping):
        for key in tree:
            yield from leaves(tree[key], f"{name}.{key}" if name else str(key), depth - 1)
    elif depth and isinstance(tree, (tuple, list)):
        for i, item in enumerate(tree):
            yield from leaves(item, f"{name}.{i}" if name else str(i), depth - 1)
    elif depth and is_dataclass(tree) and not isinstance(tree, type):
        for f in fields(tree):
            item = getattr(tree, f.name, None)
            yield from leaves(item, f"{name}.{f.name}" if name else f.name, depth - 1)
    elif depth and hasattr(tree, "__dict__") and not callable(tree):
        yield from leaves(dict(vars(tree)), name, depth - 1)


def mapped(tree: Any, change: Callable[[Tensor], Tensor], depth: int = DEPTH) -> Any:
    """The same structure with every tensor changed; what is no tuple, list or mapping is kept."""
    if isinstance(tree, Tensor):
        return change(tree)
    if not depth:
        return tree
    if isinstance(tree, Mapping):
        changed = {k: mapped(tree[k], change, depth - 1) for k in tree}
        return changed if type(tree) is dict else _remade(tree, changed)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(mapped(i, change, depth - 1) for i in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(mapped(i, change, depth - 1) for i in tree)
    return tree


def _remade(original: Mapping[str, Any], changed: dict[str, Any]) -> Any:
    try:
        return type(original)(changed)  # type: ignore[call-arg]
    except TypeError:
        return changed
