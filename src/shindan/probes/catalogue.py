"""Finds the probes by walking ``shindan.probes``: adding one edits no file."""

import importlib
import inspect
import pkgutil
from types import ModuleType

from shindan.core.finding import Failure
from shindan.probes.probe import Probe


def all_probes() -> tuple[list[Probe], list[Failure]]:
    """One fresh instance of every Probe subclass of this room; a broken one is told, not raised."""
    room = importlib.import_module("shindan.probes")
    found: list[Probe] = []
    broken: list[Failure] = []
    for info in sorted(pkgutil.iter_modules(room.__path__), key=lambda i: i.name):
        name = f"{room.__name__}.{info.name}"
        try:
            found.extend(kind() for kind in _probes_of(importlib.import_module(name)))
        except Exception as error:  # noqa: BLE001 - the run goes on without this probe
            broken.append(Failure(f"probe {info.name}", f"{type(error).__name__}: {error}"))
    return found, broken


def _probes_of(module: ModuleType) -> list[type[Probe]]:
    return [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Probe)
        and item is not Probe
        and not inspect.isabstract(item)
        and item.__module__ == module.__name__
    ]
