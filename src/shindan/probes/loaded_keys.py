"""Which keys of a state met the module's (evidence ``KeyMatches``)."""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.checkpoints import KeyMatch, KeyMatches
from shindan.core.finding import NOWHERE
from shindan.core.reason import Reason
from shindan.probes.events import CheckpointEvent, ForwardCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session

MODULES = 32
SEARCHES = 500
"""Calls in which loaded modules are looked for before this is given up."""
MOST = 20_000


class LoadedKeys(Probe):
    """Counts the keys that met at the last ``load_state_dict`` of each module."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.searches = 0
        self.loads: list[tuple[weakref.ref[nn.Module], KeyMatch]] = []

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """Compare the names and shapes of what was given with what was wanted."""
        module, content = event.target, event.content
        if event.kind != "module_load" or not isinstance(module, nn.Module):
            return
        if not isinstance(content, Mapping) or len(content) > MOST:
            return
        self.loads = [p for p in self.loads if p[0]() is not module][-MODULES + 1 :]
        where = event.where or NOWHERE
        match = replace(compared(module, content), file=where.file, line=where.line)
        self.loads.append((weakref.ref(module), match))

    def on_forward(self, call: ForwardCall) -> None:
        """Is a module, or one that holds it, used?"""
        for i, (ref, match) in enumerate(self.loads):
            loaded = ref()
            if match.used or loaded is None or self.searches == SEARCHES:
                continue
            self.searches += 1
            if any(m is loaded for m in call.module.modules()):
                self.loads[i] = (ref, replace(match, used=True))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The last state given to each module."""
        if self.loads:
            yield KeyMatches(tuple(m for _, m in self.loads))
        else:
            yield Unavailable("KeyMatches", Reason("nothing-loaded"))


def compared(module: nn.Module, content: Mapping[str, Any]) -> KeyMatch:
    """Names that met, and those that would under another prefix."""
    wanted = {k: tuple(v.shape) for k, v in module.state_dict().items() if isinstance(v, Tensor)}
    given = {k: tuple(v.shape) for k, v in content.items() if isinstance(v, Tensor)}
    matched = wanted.keys() & given.keys()
    missing = {k: s for k, s in wanted.items() if k not in matched}
    unexpected = {k: s for k, s in given.items() if k not in matched}
    old, new, renamed = _prefix(missing, unexpected)
    return KeyMatch(
        type(module).__name__, len(wanted), len(given), len(matched), renamed, old, new, False
    )


def _prefix(
    missing: dict[str, tuple[int, ...]], unexpected: dict[str, tuple[int, ...]]
) -> tuple[str, str, int]:
    """(prefix given, prefix wanted, pairs): the exchange of prefixes that lets most names meet."""
    if not missing or not unexpected:
        return "", "", 0
    tails: dict[str, list[str]] = {}
    for name in missing:
        tails.setdefault(_tail(name), []).append(name)
    votes: Counter[tuple[str, str]] = Counter()
    for name, shape in unexpected.items():
        pairs = {
            _apart(name, other) for other in tails.get(_tail(name), ()) if missing[other] == shape
        }
        votes.update(pairs)
    if not votes:
        return "", "", 0
    (old, new), count = votes.most_common(1)[0]
    return old, new, count


def _tail(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def _apart(one: str, other: str) -> tuple[str, str]:
    """What is left at the front of both when their longest common end is taken off."""
    a, b = one.split("."), other.split(".")
    while a and b and a[-1] == b[-1]:
        a.pop()
        b.pop()
    return ".".join([*a, ""]), ".".join([*b, ""])
