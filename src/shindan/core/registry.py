"""Finds the checks by walking ``shindan.checks``: adding one edits no file."""

import functools
import importlib
import pkgutil

from shindan.core.check import Check

ROOM = "shindan.checks"
"""Imported by name: the room of the checks stands above core, and only its doors are known here."""


@functools.cache
def checks() -> tuple[Check, ...]:
    """All checks, by id."""
    room = importlib.import_module(ROOM)
    found: dict[str, Check] = {}
    for info in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        check = getattr(importlib.import_module(info.name), "CHECK", None)
        if isinstance(check, Check):
            if check.id in found:
                raise ValueError(f"two checks share the id {check.id}")
            found[check.id] = check
    return tuple(found[k] for k in sorted(found))


def find(id: str) -> Check:
    """The check of that id; KeyError when there is none."""
    return {c.id: c for c in checks()}[id]
