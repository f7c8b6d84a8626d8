"""Which split the script's own words say it is evaluating."""

import linecache
import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from torch import nn

from shindan.probes.frames import is_user_file

FRAMES = 12
TRAIN = frozenset({"train", "training", "tr", "trn"})
VALIDATION = frozenset({"val", "valid", "validation", "dev", "heldout", "held", "holdout", "eval"})
ANOMALIES = frozenset({"abnormal", "anomaly", "anomalies", "anomalous", "attack"})
TEST = frozenset({"test", "testing"}) | ANOMALIES
HELD_OUT = VALIDATION | TEST
_CALLS = re.compile(r"\b[A-Za-z_]\w*\s*\(")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

Place = tuple[str, str | None, int | None]


def evaluation_place(loader: Any = None) -> Place:
    """(what the script says: train, val, test or empty; file and line of the outermost call).

    Read from the lines of the user's frames around the model's call: assigned names and
    arguments, not the names of called functions; then from the names of the functions; local
    strings such as ``split == "val"`` count most, innermost first. The variable that holds the
    ``loader`` of the last batch speaks where the script does not, and before it where a library
    evaluates (``eval_dataloader`` of a Trainer that is asked to train).
    """
    lines: set[str] = set()
    names: set[str] = set()
    own = library = ""
    place: tuple[str | None, int | None] = (None, None)
    for frame in _frames(sys._getframe(1)):
        code, held = frame.f_code, _held(frame, loader)
        if not is_user_file(code.co_filename):
            library = library or held
            continue
        names |= words(code.co_name) & HELD_OUT
        own = held or own
        if isinstance(frame.f_locals.get("self"), nn.Module):
            continue
        place = (code.co_filename, frame.f_lineno)
        if told := _told(frame):
            return told, *place
        lines |= words(linecache.getline(code.co_filename, frame.f_lineno))
    split = says(lines) or says(names) or own
    return (library if library in ("val", "test") else split), *place


def _held(frame: FrameType, loader: Any) -> str:
    """What the names say under which a frame holds the loader, or an object that wraps it."""
    if loader is None or frame.f_code.co_name == "<module>":
        return ""
    names = (n for n, v in frame.f_locals.items() if v is loader or _wraps(v, loader))
    return says({w for n in names for w in words(n)})


def _wraps(thing: Any, loader: Any) -> bool:
    """As accelerate's loaders do."""
    try:
        inside = object.__getattribute__(thing, "__dict__")
    except (AttributeError, TypeError):
        return False
    return isinstance(inside, dict) and any(v is loader for v in list(inside.values()))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Frames outwards to the script's own top, at most FRAMES of the user's."""
    left = FRAMES
    while frame is not None and left:
        yield frame
        left -= is_user_file(frame.f_code.co_filename)
        top = frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>"
        frame = None if top else frame.f_back


def _told(frame: FrameType) -> str:
    """A function's local strings that are exactly the name of a split."""
    if frame.f_code.co_name == "<module>":
        return ""
    values = [v.lower() for v in frame.f_locals.values() if isinstance(v, str) and len(v) <= 12]
    return says({v for v in values if v in TRAIN | HELD_OUT})


def words(line: str) -> set[str]:
    """The words of a line's identifiers, without the names of what it calls."""
    return {w.lower() for w in _WORDS.findall(_CALLS.sub("(", line.partition("#")[0]))}


def says(said: set[str]) -> str:
    """``test`` where a word means anomalies, else ``val``, ``test`` or ``train``, in this order."""
    low = {w.lower() for w in said}
    if low & ANOMALIES:
        return "test"
    for split, known in (("val", VALIDATION), ("test", TEST), ("train", TRAIN)):
        if low & known:
            return split
    return ""
