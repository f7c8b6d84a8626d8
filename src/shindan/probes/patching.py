"""Replacing attributes of torch for the length of a run, and putting them back."""

from typing import Any


class Patches:
    """A stack of attribute replacements; ``undo`` restores what is still ours."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any, bool]] = []

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Replace ``owner.name`` by ``new``."""
        own = name in vars(owner)
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
