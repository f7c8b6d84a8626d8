"""Replacing attributes of torch for the length of a run, and putting them back."""

import functools
import types
from typing import Any


class Patches:
    """A stack of attribute replacements; ``undo`` restores what is still ours."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any, bool]] = []

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Replace ``owner.name`` by ``new``, which passes for the original.

        Libraries read signatures (``skip_init`` asks a module's for ``device``), and pickle names.
        """
        own = name in vars(owner)
        if isinstance(new, types.FunctionType) and not hasattr(new, "__wrapped__"):
            functools.update_wrapper(new, getattr(owner, name))
            if isinstance(owner, types.ModuleType):  # pickle looks a function up where it says
                new.__module__, new.__qualname__ = owner.__name__, name
        self._done.append((owner, name, getattr(owner, name), new, own))
        setattr(owner, name, new)

    def undo(self) -> None:
        """Put everything back, newest first; what somebody else replaced since is left alone."""
        while self._done:
            owner, name, old, new, own = self._done.pop()
            if getattr(owner, name, None) is not new:
                continue
            if own:
                setattr(owner, name, old)
            else:
                delattr(owner, name)
