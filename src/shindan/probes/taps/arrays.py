"""Files of token ids: ``numpy.memmap`` and ``numpy.fromfile``."""

from typing import Any

import numpy as np

from shindan.probes.patching import Patches
from shindan.probes.session import Session

KEPT = 16


def install(session: Session, patches: Patches) -> None:
    """Remember which files of integers were read and as what: ``session.id_files``."""
    mapped, read = np.memmap.__new__, np.fromfile

    def note(name: Any, array: Any) -> None:
        if array.dtype.kind in "iu" and len(session.id_files) < KEPT:
            session.id_files[str(name)] = str(array.dtype)

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        array = mapped(cls, *args, **kwargs)
        if session.alive:
            name = args[0] if args else kwargs.get("filename")
            session.guarded("memmap", lambda: note(name, array))
        return array

    def fromfile(*args: Any, **kwargs: Any) -> Any:
        array = read(*args, **kwargs)
        if session.alive:
            name = args[0] if args else kwargs.get("file")
            session.guarded("fromfile", lambda: note(getattr(name, "name", name), array))
        return array

    patches.set(np.memmap, "__new__", new)
    patches.set(np, "fromfile", fromfile)
