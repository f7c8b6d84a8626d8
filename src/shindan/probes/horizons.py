"""How long a scheduler was meant to last, read from its arguments."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

LENGTHS = ("T_max", "total_steps", "total_iters")
KEYWORDS = ("num_training_steps", "total_steps", "max_steps", "num_steps", "total_iters")
LEAST = 10
"""Integers below are hardly lengths."""
MOST_NAMES = 32
NUMBER = (int, float)


def children(scheduler: Any) -> list[Any]:
    """The schedulers inside a composed one."""
    inner = getattr(scheduler, "_schedulers", None)
    after = getattr(scheduler, "after_scheduler", None)
    return list(inner or []) + ([after] if after is not None else [])


def horizon(scheduler: Any) -> int | None:
    """Its length in its own steps, where that is an argument; None for functions and constants."""
    inner = children(scheduler)
    milestones = getattr(scheduler, "_milestones", None)
    if inner and milestones:
        last = horizon(inner[-1])
        return None if last is None else int(milestones[-1]) + last
    if inner:
        return None
    if type(scheduler).__name__ == "LinearLR" and scheduler.end_factor >= scheduler.start_factor:
        return None
    for name in LENGTHS:
        value = getattr(scheduler, name, None)
        if isinstance(value, int):
            return value
    for function in getattr(scheduler, "lr_lambdas", None) or ():
        if isinstance(function, functools.partial):
            found = [function.keywords[k] for k in KEYWORDS if k in function.keywords]
            return int(found[0]) if found else None
    return None


def integers(scheduler: Any) -> dict[str, int]:
    """Whole numbers that the functions of a LambdaLR refer to, by name."""
    found: dict[str, int] = {}
    for function in getattr(scheduler, "lr_lambdas", None) or ():
        found.update(_of_function(function))
    return dict(list(found.items())[:MOST_NAMES])


def _of_function(function: Callable[..., Any]) -> dict[str, int]:
    if isinstance(function, functools.partial):
        return _whole(function.keywords)
    owner = getattr(function, "__self__", None)
    plain = getattr(function, "__func__", function)
    if not isinstance(plain, types.FunctionType):
        return _whole(dict(getattr(plain, "__dict__", {})))
    cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False)
    known = {name: _content(cell) for name, cell in cells}
    code = plain.__code__
    for name in code.co_names:
        if name in plain.__globals__:
            known.setdefault(name, plain.__globals__[name])
    holders = [*known.values(), *([] if owner is None else [owner])]
    names = (*code.co_names, *(c for c in code.co_consts if isinstance(c, str)))
    for holder in holders:
        known.update(_named_in(holder, names))
    return _whole(known)


def _named_in(holder: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What the function's names mean in an object it refers to, such as a configuration.

    Also two levels deep (``self.config.max_steps``).
    """
    inside = {name: _held(holder, name) for name in names}
    found = {name: value for name, value in inside.items() if isinstance(value, NUMBER)}
    for deeper in inside.values():
        more = {name: _held(deeper, name) for name in names}
        found.update({name: value for name, value in more.items() if isinstance(value, NUMBER)})
    return found


def _held(holder: Any, name: str) -> Any:
    """Data of that name in an object, its class or a dict: no property, no code of its own runs."""
    if type(holder) is dict:
        return holder.get(name)
    if holder is None or isinstance(holder, types.FunctionType):
        return None
    value = inspect.getattr_static(holder, name, None)
    if isinstance(value, types.MemberDescriptorType) and not isinstance(holder, type):
        try:
            return value.__get__(holder)
        except AttributeError:
            return None
    return value


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _whole(values: dict[str, Any]) -> dict[str, int]:
    whole = {k: int(v) for k, v in values.items() if isinstance(v, (int, float)) and v == v // 1}
    return {k: v for k, v in whole.items() if v >= LEAST}
