"""Settings that ask for a tied head, wherever the run keeps them."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from shindan.core.evidence.computed import TieWish

TYING = frozenset(("tie", "tied", "tying", "ties"))
_WORDS = """
weight weights word emb embed embeds embedding embeddings head lm output outputs input inputs
in out softmax io the use do model decoder with and to token
"""
BESIDE = frozenset(_WORDS.split())
"""Words that may stand beside it: others (``tie_encoder_decoder``) speak of something else."""
SHARING = frozenset(
    (
        "share_decoder_input_output_embed",
        "share_input_output_embed",
        "share_input_output_embeddings",
        "share_embeddings_and_output_weights",
        "share_emb_prj",
    )
)


def asks_to_tie(name: str) -> bool:
    """Is this the name of a switch that ties the head to the token table?"""
    low = name.lower().lstrip("_-").replace("-", "_")
    if low in SHARING:
        return True
    words = set(low.split("_"))
    return bool(words & TYING) and words <= TYING | BESIDE


def wishes_of(root: nn.Module) -> Iterator[TieWish]:
    """Switches that are attributes of the modules, or of their configuration objects."""
    seen: set[int] = set()
    for module in root.modules():
        owner = type(module).__name__
        for name, value in vars(module).items():
            if isinstance(value, bool):
                if asks_to_tie(name):
                    yield TieWish(owner, name, value)
            elif not name.startswith("_") and id(value) not in seen:
                seen.add(id(value))
                yield from wishes_in(f"{owner}.{name}", value)


def wishes_in(owner: str, values: Any, depth: int = 2) -> Iterator[TieWish]:
    """Switches inside a mapping, namespace, dataclass or configuration object."""
    for name, value in _items(values):
        if isinstance(value, bool):
            if asks_to_tie(str(name)):
                yield TieWish(owner, str(name), value)
        elif depth > 1 and not str(name).startswith("_"):
            yield from wishes_in(f"{owner}.{name}", value, depth - 1)


def _items(values: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(values, Mapping):
        return list(values.items())[:500]
    plain = (str, bytes, int, float, list, tuple, set, Tensor, nn.Module, type)
    if values is None or isinstance(values, plain) or callable(values):
        return ()
    held = dict(getattr(values, "__dict__", {}))
    if dataclasses.is_dataclass(values):
        held.update({f.name: getattr(values, f.name, None) for f in dataclasses.fields(values)})
    for name, value in vars(type(values)).items():
        if isinstance(value, bool):
            held.setdefault(name, value)
    return list(held.items())[:500]
