"""The modules a distillation script calls: mode, dropout, owners, movement."""

import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from shindan.core.evidence.distillation import Root
from shindan.probes.capture import plain
from shindan.probes.events import ForwardCall
from shindan.probes.session import parameters
from shindan.probes.trees import leaves

MOST = 24
WATCHED = 8
"""Parameters of each root compared between sampled steps."""
ELEMENTS = 64
IDS = (torch.int64, torch.int32, torch.int16, torch.uint8)

Post = Callable[[Tensor, Callable[[float], None]], None]


@dataclass(eq=False)
class Watched:
    """What is known of one root; ``facts`` are fields of :class:`Root`."""

    ref: "weakref.ref[nn.Module]"
    number: int
    name: str
    elements: int
    facts: dict[str, bool | float] = field(default_factory=dict)
    first: list[Tensor] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    labelled: deque[dict[tuple[int, bool], tuple[float, float]]] = field(
        default_factory=lambda: deque(maxlen=64)
    )
    """Matches with losses on labels; filled in as the numbers arrive."""

    def told(self, all_: "list[Watched]") -> Root:
        """The evidence."""
        shares = tuple(w.number for w in all_ if w is not self and self._shares(w))
        values = {k: bool(v) for k, v in self.facts.items() if k != "dropout"}
        dropout = float(self.facts.get("dropout", 0.0))
        return Root(self.number, self.name, self.elements, dropout=dropout, shares=shares, **values)

    def _shares(self, other: "Watched") -> bool:
        """More than half of the elements of the smaller one are the other's too."""
        common = sum(n for key, n in self.sizes.items() if key in other.sizes)
        return 2 * common > min(self.elements, other.elements)


class Roots:
    """All roots seen, by module."""

    def __init__(self) -> None:
        self.seen: list[Watched] = []

    def of(self, module: nn.Module) -> Watched | None:
        """The record of a module (made at its first call)."""
        module = plain(module)
        for watched in self.seen:
            if watched.ref() is module:
                return watched
        if len(self.seen) == MOST:
            gone = [w for w in self.seen if w.ref() is None]
            if not gone:
                return None
            self.seen.remove(gone[0])
        sizes = {id(p): p.numel() for p in module.parameters()}
        number = max((w.number for w in self.seen), default=-1) + 1
        made = Watched(
            weakref.ref(module), number, type(module).__name__, sum(sizes.values()), sizes=sizes
        )
        self.seen.append(made)
        return made

    def called(self, call: ForwardCall) -> Watched | None:
        """Note the state in which a root was called."""
        watched = self.of(call.module)
        if watched is None:
            return None
        facts = watched.facts
        inputs = [t for _, t in leaves((call.args, call.kwargs))]
        outputs = [t for _, t in leaves(call.output)]
        drops = max(map(active_dropout, call.module.modules()), default=0.0)
        facts["training"] = call.training and facts.get("training", True)
        facts["dropout"] = min(drops, facts.get("dropout", 1.0))
        facts["fed_ids"] = any(t.dtype in IDS for t in inputs)
        facts["grad_output"] = any(t.requires_grad for t in outputs)
        facts["fed_by_grad"] = any(t.requires_grad for t in inputs)
        facts["trainable"] = any(p.requires_grad for p in call.module.parameters())
        return watched

    def census(self, stepping: torch.optim.Optimizer, post: Post) -> None:
        """After an update of a sampled step: owners, gradients, movement."""
        mine = {id(p) for p in parameters(stepping)}
        for watched in self.seen:
            module = watched.ref()
            if module is None:
                continue
            held = list(module.parameters())
            facts = watched.facts
            owned = any(id(p) in mine for p in held)
            facts["held"] = facts.get("held", False) or owned
            facts["stepped"] = facts.get("stepped", False) or owned
            self._moved(watched, held, post)

    def owners(self, optimizers: list[torch.optim.Optimizer]) -> None:
        """Which roots any optimizer holds."""
        mine = {id(p) for o in optimizers for p in parameters(o)}
        for watched in self.seen:
            module = watched.ref()
            if module is not None and any(id(p) in mine for p in module.parameters()):
                watched.facts["held"] = True

    def _moved(self, watched: Watched, held: list[nn.Parameter], post: Post) -> None:
        some = held[:: max(1, len(held) // WATCHED)][:WATCHED]
        now = [p.detach().reshape(-1)[:ELEMENTS].float() for p in some]
        if len(watched.first) != len(now):
            watched.first = [t.clone() for t in now]
        elif not watched.facts.get("moved"):
            changed = [(a.to(b.device) != b).any() for a, b in zip(watched.first, now, strict=True)]

            def mark(value: float) -> None:
                if value:
                    watched.facts["moved"] = True

            if changed:
                post(torch.stack(changed).any(), mark)


def active_dropout(module: nn.Module) -> float:
    """The probability with which this very module drops something now."""
    if not module.training:
        return 0.0
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return float(module.p)
    p = getattr(module, "dropout", 0.0)
    attends = isinstance(module, nn.MultiheadAttention) and isinstance(p, float)
    return float(p) if attends else 0.0
