"""Which line of the user's program is running."""

import sys
import sysconfig
from pathlib import Path
from types import FrameType

import torch

import shindan
from shindan.core.finding import NOWHERE, Where

_OURS = str(Path(shindan.__file__).parent)
_PATIENTS = str(Path(_OURS) / "reference")
"""Scripts like a user's own: the systems that `shindan train` trains."""
_TORCH = str(Path(torch.__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(k) for k in ("stdlib", "purelib", "platlib")})


def where(module: str | None = None) -> Where:
    """The innermost frame of the user's own code; else the innermost of any library but torch."""
    frame: FrameType | None = sys._getframe(1)
    library: FrameType | None = None
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PATIENTS):
            return Where(name, frame.f_lineno, module)
        if not name.startswith((_OURS, _TORCH, "<")):
            if not name.startswith(_LIBRARIES):
                return Where(name, frame.f_lineno, module)
            if library is None:
                library = frame
        frame = frame.f_back
    if library is not None and "site-packages" in library.f_code.co_filename:
        return Where(library.f_code.co_filename, library.f_lineno, module)
    return Where(module=module) if module else NOWHERE


def is_user_file(name: str) -> bool:
    """True for code that is neither ours, nor torch's, nor an installed library's."""
    if name.startswith(_PATIENTS):
        return True
    return not name.startswith((_OURS, _TORCH, "<", *_LIBRARIES))


def is_library_file(name: str) -> bool:
    """True for an installed library's code, torch and the standard library apart."""
    return "site-packages" in name and not name.startswith((_OURS, _TORCH))
