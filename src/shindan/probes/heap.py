"""Objects that live in the run, found by their class. A walk takes tens of milliseconds."""

import gc
from collections.abc import Callable, Iterator
from typing import Any


def living(wanted: Callable[[type], str]) -> Iterator[tuple[str, Any]]:
    """(what ``wanted`` says of its class, object) of all objects whose class it says anything of.

    Each class is asked about once: for deep looks only.
    """
    said: dict[type, str] = {}
    for item in gc.get_objects():
        kind = type(item)
        word = said.get(kind)
        if word is None:
            word = said[kind] = wanted(kind)
        if word:
            yield word, item
