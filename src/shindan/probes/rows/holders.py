"""Arrays, tensors and lists of integers that the user's program holds, without copying them."""

import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from shindan.probes.frames import is_user_file

LEAST = 64
"""Ids an array must hold to be a source of training rows."""
DEPTH = 3
VISITS = 3000
HOLDERS = 48
LISTED = 400_000
"""Ids read from lists of lists."""


@dataclass(eq=False)
class Holder:
    """Something that holds integers: ``read`` gives them as one flat array (None: it is gone)."""

    name: str
    kind: str
    dtype: str
    capacity: int
    _thing: Any
    _strong: bool = False

    def read(self, limit: int) -> NDArray[Any] | None:
        """At most the first ``limit`` integers, in their own type."""
        thing = self._thing if self._strong else self._thing()
        if thing is None:
            return None
        if isinstance(thing, torch.Tensor):
            if thing.device.type != "cpu":
                return None
            thing = thing.detach().numpy()
        if isinstance(thing, np.ndarray):
            small = thing if thing.flags.c_contiguous else thing[:limit]
            flat: NDArray[Any] = small.reshape(-1)[:limit]
            return flat
        return _listed(thing, limit)

    def memory(self) -> tuple[int, int] | None:
        """Addresses of the first byte and of the one after the last of an array in one piece."""
        thing = self._thing if self._strong else self._thing()
        if isinstance(thing, torch.Tensor) and thing.device.type == "cpu":
            thing = thing.detach().numpy()
        if not isinstance(thing, np.ndarray) or not thing.flags.c_contiguous:
            return None
        low = int(thing.__array_interface__["data"][0])
        return low, low + thing.nbytes


def from_file(name: str, dtype: str) -> Holder:
    """A file of ids that was mapped or read earlier, whether or not the array still lives."""
    limits = np.iinfo(np.dtype(dtype))
    return Holder(name, "file", dtype, int(limits.max) + 1, functools.partial(_mapped, name, dtype))


def _mapped(name: str, dtype: str) -> NDArray[Any] | None:
    try:
        return np.memmap(name, dtype=np.dtype(dtype), mode="r")
    except (OSError, ValueError):
        return None


def holders(frame: FrameType | None, roots: list[tuple[str, Any]]) -> list[Holder]:
    """What the user's frames from ``frame`` outwards, their globals and ``roots`` hold."""
    found: dict[int, Holder] = {}
    seen: set[int] = set()
    budget = [VISITS]
    for name, thing in (*roots, *_visible(frame)):
        for holder_of, path, item in _walk(thing, name, DEPTH, seen, budget):
            if len(found) < HOLDERS:
                found.setdefault(holder_of, _holder(path, item))
    return list(found.values())


def _visible(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    while frame is not None:
        if is_user_file(frame.f_code.co_filename):
            yield from list(frame.f_locals.items())
            if frame.f_code.co_name == "<module>":
                return
        frame = frame.f_back
    main = sys.modules.get("__main__")
    yield from list(vars(main).items()) if main else ()


def _walk(
    thing: Any, name: str, depth: int, seen: set[int], budget: list[int]
) -> Iterator[tuple[int, str, Any]]:
    """(identity, path, array or list) of integer holders inside ``thing``."""
    if id(thing) in seen or budget[0] <= 0 or isinstance(thing, (str, bytes, type, nn.Module)):
        return
    seen.add(id(thing))
    budget[0] -= 1
    if _holds(thing):
        yield id(thing), name, thing
        return
    if not depth or isinstance(thing, ModuleType) or (callable(thing) and not _dataset(thing)):
        return
    for key, inner in _parts(thing):
        yield from _walk(inner, f"{name}{key}", depth - 1, seen, budget)


def _dataset(thing: Any) -> bool:
    return hasattr(thing, "__getitem__") or hasattr(thing, "__iter__")


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, Mapping):
        return [(f"[{k!r}]", v) for k, v in list(thing.items())[:32]] if type(thing) is dict else []
    if isinstance(thing, (list, tuple)):
        return [(f"[{i}]", v) for i, v in enumerate(thing[:16])]
    return [(f".{k}", v) for k, v in list(getattr(thing, "__dict__", {}).items())[:64]]


def _holds(thing: Any) -> bool:
    if isinstance(thing, torch.Tensor):
        whole = not thing.is_floating_point() and not thing.is_complex()
        return whole and thing.dtype != torch.bool and thing.numel() >= LEAST
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind in "iu" and thing.size >= LEAST
    if not isinstance(thing, list) or not thing:
        return False
    if type(thing[0]) is int:
        return len(thing) >= LEAST and type(thing[-1]) is int
    return len(thing) >= 8 and _row(thing[0]) is not None and _row(thing[-1]) is not None


def _row(item: Any) -> list[int] | None:
    """The ids of one row of a list: a list of integers, or such a list among its values."""
    if isinstance(item, Mapping):
        item = item.get("input_ids")
    elif isinstance(item, tuple) and item:
        item = item[0]
    if isinstance(item, list) and item and type(item[0]) is int:
        return item
    return None


def _listed(thing: list[Any], limit: int) -> NDArray[np.int64]:
    limit = min(limit, LISTED)
    if type(thing[0]) is int:
        return np.array(thing[:limit], dtype=np.int64)
    flat: list[int] = []
    for item in thing:
        flat += _row(item) or ()
        if len(flat) >= limit:
            break
    return np.array(flat[:limit], dtype=np.int64)


def _holder(name: str, thing: Any) -> Holder:
    if isinstance(thing, torch.Tensor):
        info = torch.iinfo(thing.dtype)
        kind, dtype = "tensor", str(thing.dtype).removeprefix("torch.")
        return Holder(name, kind, dtype, info.max + 1, weakref.ref(thing))
    if isinstance(thing, np.ndarray):
        limits = np.iinfo(thing.dtype)
        kind = "memmap" if isinstance(thing, np.memmap) else "array"
        return Holder(name, kind, str(thing.dtype), int(limits.max) + 1, weakref.ref(thing))
    return Holder(name, "list", "int", 1 << 62, thing, True)
