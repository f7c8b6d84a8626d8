"""What the run itself calls its special ids: tokenizers, vocabularies, constants of the script."""

import os
import re
import sys
from collections import UserDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor

from shindan.probes.frames import is_user_file
from shindan.probes.heap import living

ROLES = ("pad", "bos", "sos", "cls", "eos", "eot", "sep", "mask", "unk", "dist")
_NAME = re.compile(
    rf"_*({'|'.join(ROLES)}|end_?of_?text)_?"
    r"(?:id|idx|index|ix|token|tok|token_?id|token_?idx|token_?index|value)?$",
    re.IGNORECASE,
)
_TEXTS = {
    "pad": ("[PAD]", "<pad>", "<PAD>", "<|pad|>", "PAD"),
    "bos": ("<s>", "<bos>", "<sos>", "[BOS]", "<BOS>", "<SOS>", "<|startoftext|>"),
    "cls": ("[CLS]", "<cls>"),
    "eos": ("</s>", "<eos>", "[EOS]", "<EOS>", "<|endoftext|>"),
    "sep": ("[SEP]", "<sep>"),
    "mask": ("[MASK]", "<mask>", "<|mask|>", "[M]"),
    "unk": ("[UNK]", "<unk>", "<UNK>", "<|unk|>", "UNK"),
}
DEEP = 2
BATCH = 500
"""Entries of a mapping above which it is data, not a configuration or a batch."""

Found = set[tuple[str, int]]


@dataclass(frozen=True)
class Names:
    """(role, id) pairs: by constants and vocabularies of the script, and by tokenizers.

    ``collator``: a library's collator, which draws MLM masks, lives in this run.
    """

    script: Found
    tokenizers: Found
    collator: bool = False

    @property
    def all(self) -> Found:
        """Both."""
        return self.script | self.tokenizers

    def one(self, found: Found, role: str, number: int) -> bool:
        """Is this id, and no other, called so?"""
        return {n for r, n in found if r == role} == {number}


def special_ids(limit: int) -> Names:
    """Names with ids below ``limit``; one walk over the heap: for deep looks only."""
    found: Found = set()
    told: Found = set()
    collator = False
    for held in _namespaces():
        _read(held, found, DEEP)
    modules = {name for name, m in sys.modules.items() if _is_user_module(m)}

    def wanted(kind: type) -> str:
        name, home = kind.__name__, str(kind.__module__)
        if name.startswith("DataCollator") and "transformers" in home:
            return "collator"
        if "okenizer" in name and not issubclass(kind, type):
            return "tokenizer"
        return "holder" if home in modules or "Vocab" in name else ""

    for word, item in living(wanted):
        if word == "tokenizer":
            _tokenizer(item, told)
        elif word == "holder":
            _read(_attributes(item), found, 1)
        else:
            collator = True
    return Names(
        {(role, number) for role, number in found if 0 <= number < limit},
        {(role, number) for role, number in told if 0 <= number < limit},
        collator,
    )


def flags() -> dict[str, bool]:
    """Every boolean the script's modules and running functions hold by name (lower case).

    Also one level down: in a configuration object, class or mapping of theirs.
    """
    found: dict[str, bool] = {}
    inner: dict[str, bool] = {}
    for held in _namespaces():
        for name, value in list(held.items()):
            if isinstance(value, bool):
                found[str(name).lower()] = value
            else:
                inside = list(_inside(value).items())
                inner |= {str(n).lower(): v for n, v in inside if isinstance(v, bool)}
    return inner | found


def flat(values: Any, deep: int = 3) -> Iterator[tuple[str, Any]]:
    """(name, value) of every entry of nested mappings, such as a configuration."""
    if isinstance(values, Mapping) and deep:
        for name, value in values.items():
            yield str(name), value
            yield from flat(value, deep - 1)


def tensors_named(pattern: re.Pattern[str]) -> Iterator[tuple[str, Tensor]]:
    """Tensors that the script holds under such a name, in a variable or in a mapping (a batch)."""
    for held in _namespaces():
        for name, value in list(held.items()):
            for key, item in ((name, value), *_inside(value).items()):
                if isinstance(item, Tensor) and isinstance(key, str) and pattern.search(key):
                    yield key, item


def spoken(pattern: re.Pattern[str]) -> bool:
    """Do the script or the modules beside it, code and comments, hold these words?"""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    homes = tuple(
        {os.path.join(os.path.dirname(os.path.abspath(main or "")), ""), os.getcwd() + os.sep}
    )
    files = {m.__file__ for m in list(sys.modules.values()) if _is_user_module(m)}
    own = [f for f in files if isinstance(f, str) and os.path.abspath(f).startswith(homes)]
    return any(pattern.search(_source(f)) for f in own)


def _source(file: str) -> str:
    """The text of a source file; empty when it cannot be read."""
    try:
        with open(file, encoding="utf-8", errors="ignore") as f:
            return f.read(1_000_000)
    except OSError:
        return ""


def words() -> set[str]:
    """Identifiers and short strings of the code in the script's own modules, lower case."""
    found: set[str] = set()
    for module in list(sys.modules.values()):
        if _is_user_module(module):
            for item in list(vars(module).values()):
                for function in _functions(item):
                    _harvest(function.__code__, found, 3)
    return found


def _harvest(code: Any, found: set[str], deep: int) -> None:
    for text in (*code.co_names, *code.co_varnames, *code.co_consts):
        if isinstance(text, str) and len(text) < 40:
            found.add(text.lower())
        elif isinstance(text, tuple):
            found.update(t.lower() for t in text if isinstance(t, str) and len(t) < 40)
        elif deep and hasattr(text, "co_names"):
            _harvest(text, found, deep - 1)


def _functions(item: Any) -> Iterator[Any]:
    held = list(vars(item).values()) if isinstance(item, type) else [item]
    for thing in held:
        inner = getattr(thing, "__func__", thing) if callable(thing) else None
        code = getattr(inner, "__code__", None)
        if code is not None and is_user_file(code.co_filename):
            yield inner


def _namespaces() -> Iterator[Mapping[str, Any]]:
    """Globals of the user's modules, locals of the user's functions that are running."""
    for module in list(sys.modules.values()):
        if _is_user_module(module):
            yield vars(module)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_locals is not frame.f_globals and is_user_file(frame.f_code.co_filename):
            yield dict(frame.f_locals)
        frame = frame.f_back


def _is_user_module(module: Any) -> bool:
    if not isinstance(module, ModuleType):
        return False
    file = vars(module).get("__file__")
    return isinstance(file, str) and is_user_file(file)


def _read(held: Mapping[str, Any], found: Found, deep: int) -> None:
    for name, value in list(held.items()):
        if type(value) is int:
            matched = _NAME.fullmatch(name) if isinstance(name, str) else None
            if matched:
                found.add((_role(matched[1]), value))
        elif isinstance(value, dict):
            _vocabulary(value, found)
        elif deep and not isinstance(value, ModuleType):
            inner = dict(vars(value)) if isinstance(value, type) else _attributes(value)
            _read(inner, found, deep - 1 if isinstance(value, type) else 0)


def _vocabulary(table: dict[Any, Any], found: Found) -> None:
    for role, texts in _TEXTS.items():
        for text in texts:
            number = dict.get(table, text)  # a lazy table of the user's may answer `get` otherwise
            if type(number) is int:
                found.add((role, number))


def _inside(value: Any) -> Mapping[Any, Any]:
    """What a mapping, a class or an object of the script holds; nothing of a module.

    A mapping's own methods are not called: a library's lazy table would import its models.
    """
    if isinstance(value, UserDict):
        value = value.data
    if isinstance(value, dict):
        return dict(dict.items(value)) if dict.__len__(value) <= BATCH else {}
    if isinstance(value, type):
        return vars(value)
    return {} if isinstance(value, ModuleType) else _attributes(value)


def _attributes(item: Any) -> dict[str, Any]:
    try:
        return dict(object.__getattribute__(item, "__dict__"))
    except (AttributeError, TypeError):
        return {}


def _tokenizer(item: Any, found: Found) -> None:
    for role in ROLES:
        for name in (f"{role}_token_id", f"{role}_id"):
            try:
                number = getattr(item, name, None)
            except Exception:  # noqa: BLE001 - a property of somebody else's class
                continue
            if type(number) is int:
                found.add((role, number))


def _role(text: str) -> str:
    role = text.lower().replace("_", "")
    return {"sos": "bos", "eot": "eos", "endoftext": "eos"}.get(role, role)
