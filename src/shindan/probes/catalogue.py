"""Finds the probes by walking ``shindan.probes``: adding one edits no file."""

import importlib
import pkgutil

from shindan.probes.probe import Probe


def all_probes() -> list[Probe]:
    """One fresh instance of every Probe subclass defined in a module of this room."""
    import shindan.probes as room

    found: dict[str, type[Probe]] = {}
    for info in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        module = importlib.import_module(info.name)
        for item in vars(module).values():
            if (
                isinstance(item, type)
                and issubclass(item, Probe)
                and item is not Probe
                and item.__module__ == module.__name__
            ):
                found[f"{module.__name__}.{item.__name__}"] = item
    return [found[k]() for k in sorted(found)]
