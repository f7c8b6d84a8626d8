"""Where the weights of a model came from."""

import sys
import weakref
from types import FrameType

from torch import nn

MADE = (nn.Embedding, nn.Linear)
"""Modules whose making is watched: every language model has some."""
FILLS = "from_pretrained"


def fills() -> bool:
    """Is a function that fills models with stored weights running on this stack?"""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == FILLS:
            return True
        frame = frame.f_back
    return False


def pretrained(root: nn.Module, fresh: "weakref.WeakSet[nn.Module]") -> str:
    """The name of the stored weights this model was filled with, "" when it was made from nothing.

    A configuration that was read from a folder names that folder though the weights are random
    (``from_config``), so a model all of whose tables and linear maps are ``fresh`` has none. Copies
    and what was made before we looked are believed.
    """
    made = [m for m in root.modules() if isinstance(m, MADE)]
    if made and all(m in fresh for m in made):
        return ""
    for module in root.modules():
        name = getattr(getattr(module, "config", None), "_name_or_path", "")
        if isinstance(name, str) and name:
            return name
    return ""
