"""Tokenizers that live in the run, found by what they are."""

import sys
from dataclasses import dataclass
from typing import Any

from shindan.probes.heap import living

LIBRARIES = (
    ("transformers", "PreTrainedTokenizerBase"),
    ("tokenizers", "Tokenizer"),
    ("tiktoken", "Encoding"),
    ("sentencepiece", "SentencePieceProcessor"),
)
TEXT = 40
"""Characters of a decoded token kept."""


@dataclass(eq=False)
class Found:
    """A tokenizer: ``kind`` its class, ``size`` how many ids it has (added ones included)."""

    kind: str
    size: int
    owner: Any

    def text(self, token: int) -> str | None:
        """The token as text; None when it cannot be decoded."""
        try:
            return str(self.owner.decode([token]))[:TEXT]
        except Exception:  # noqa: BLE001 - somebody else's code
            return None


def tokenizers() -> list[Found]:
    """Every tokenizer of a known library, and every user's object that encodes and decodes.

    A walk over all objects (tens of milliseconds): for deep looks only.
    """
    known = tuple(
        t
        for module, name in LIBRARIES
        if isinstance(t := getattr(sys.modules.get(module), name, None), type)
    )
    living_ones = living(lambda kind: "tokenizer" if _encodes(kind, known) else "")
    return [
        Found(type(thing).__name__, size, thing)
        for _, thing in living_ones
        if (size := _size(thing)) is not None
    ]


def _encodes(kind: type, known: tuple[type, ...]) -> bool:
    try:
        if issubclass(kind, known):
            return True
        own = callable(getattr(kind, "encode", None)) and callable(getattr(kind, "decode", None))
        return own and kind.__module__.partition(".")[0] not in sys.stdlib_module_names | {"torch"}
    except Exception:  # noqa: BLE001 - strange metaclasses
        return False


def _size(thing: Any) -> int | None:
    for ask in (len, *(_asks(n) for n in ("n_vocab", "vocab_size", "get_vocab_size", "itos"))):
        try:
            size = ask(thing)
        except Exception:  # noqa: BLE001 - somebody else's code
            continue
        if isinstance(size, int) and size > 1:
            return size
    return None


def _asks(name: str) -> Any:
    def ask(thing: Any) -> Any:
        value = getattr(thing, name)
        value = value() if callable(value) else value
        return value if isinstance(value, int) else len(value)

    return ask
