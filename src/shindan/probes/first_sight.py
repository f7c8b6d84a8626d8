"""Weights before the first update: their size, where they came from, and what was tied."""

import functools
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.computed import InitialWeight, InitialWeights, TieWish
from shindan.core.reason import Reason
from shindan.probes.capture import plain
from shindan.probes.events import CheckpointEvent, ForwardCall, SettingsEvent
from shindan.probes.origins import pretrained
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.wishes import wishes_in, wishes_of

WEIGHTS = 400
WISHES = 16
PARAMETRISED = ("parametrizations.", "weight_v", "weight_g")
"""Parameters whose size is not that of the weight used."""


class FirstSight(Probe):
    """Looks once at every trained root, before the first update."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.found: dict[str, tuple[str, tuple[int, ...], dict[str, float]]] = {}
        self.elements = 0
        self.loaded = ""
        self.loads: list[tuple[weakref.ref[nn.Module], str]] = []
        self.keys: set[str] = set()
        self.main: weakref.ref[nn.Module] | None = None
        self.asked: dict[TieWish, None] = {}
        self.wished: dict[TieWish, None] = {}
        self.equal: dict[tuple[str, str], float] = {}
        self.shared: dict[tuple[str, ...], None] = {}

    def on_settings(self, event: SettingsEvent) -> None:
        """Settings that speak of tying."""
        for wish in wishes_in(event.kind, event.values):
            if len(self.asked) < WISHES:
                self.asked[wish] = None

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """Weights that come from elsewhere before the first update."""
        if self.session.update:
            return
        if event.kind == "module_load" and isinstance(event.target, nn.Module):
            self._comes(event.target, "load_state_dict")
            main = self.main() if self.main is not None else None
            if main is not None:
                self.loaded = self.loaded or self._origin(main)
        elif event.kind == "table" and isinstance(event.target, nn.Module):
            self._comes(event.target, "from_pretrained")
        elif event.kind == "load":
            self.keys.update(list(_tensor_names(event.content))[:20_000])

    def _comes(self, target: nn.Module, how: str) -> None:
        self.loads.append((weakref.ref(target), how))
        del self.loads[:-64]

    def on_forward(self, call: ForwardCall) -> None:
        """The first call of a root that will be trained."""
        if not call.grad:
            return
        root = plain(call.module)
        if root in self.seen or not any(p.requires_grad for p in root.parameters()):
            return
        self.seen.add(root)
        for wish in wishes_of(root):
            if len(self.wished) < WISHES:
                self.wished[wish] = None
        if self.session.update:
            return
        self._tied(root)
        elements = sum(p.numel() for p in root.parameters() if p.requires_grad)
        if elements > self.elements:
            self.elements, self.main = elements, weakref.ref(root)
            self.loaded = self._origin(root)
            self._measure(root)

    def _tied(self, root: nn.Module) -> None:
        names: dict[int, list[str]] = defaultdict(list)
        held: dict[int, nn.Parameter] = {}
        for name, p in root.named_parameters(remove_duplicate=False):
            names[id(p)].append(name)
            held[id(p)] = p
        for group in names.values():
            if len(group) > 1:
                self.shared[tuple(group)] = None
        tables = {id(m.weight) for m in root.modules() if isinstance(m, nn.Embedding)}
        for table in tables & set(held):
            a = held[table]
            for key, b in held.items():
                if key != table and _could_be(a, b):
                    pair = (names[table][0], names[key][0])
                    same = ((a == b).all() & (a != a.flatten()[0]).any()).float()
                    self.session.mail.post(same, functools.partial(_keep, self.equal, pair))

    def _measure(self, root: nn.Module) -> None:
        found = self.found
        found.clear()
        for name, p in root.named_parameters():
            if p.ndim < 2 or not p.requires_grad or any(m in name for m in PARAMETRISED):
                continue
            if len(found) >= WEIGHTS or type(p) is not nn.Parameter or not p.is_floating_point():
                continue
            owner = root.get_submodule(name.rpartition(".")[0])
            size: dict[str, float] = {}
            found[name] = (type(owner).__name__, tuple(p.shape), size)
            root_mean_square = p.detach().float().square().mean().sqrt()
            self.session.mail.post(root_mean_square, functools.partial(_keep, size, "std"))

    def _origin(self, root: nn.Module) -> str:
        mine = {id(p) for p in root.parameters()}
        for ref, how in self.loads:
            target = ref()
            if target is not None and any(id(p) in mine for p in target.parameters()):
                return how
        if name := pretrained(root, self.session.fresh):
            return f"pretrained {name}"
        if self.keys & {n for n, _ in root.named_parameters()}:
            return "torch.load"
        return ""

    def ties(
        self,
    ) -> tuple[tuple[TieWish, ...], tuple[tuple[str, str], ...], tuple[tuple[str, ...], ...]]:
        """Wishes (those of the model, else those of the settings), equal pairs, shared groups."""
        return (
            tuple(self.wished or self.asked),
            tuple(pair for pair, same in self.equal.items() if same > 0),
            tuple(self.shared),
        )

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The weights as they were."""
        if not self.found:
            yield Unavailable("InitialWeights", Reason("no-trained-call"))
            return
        yield InitialWeights(
            tuple(
                InitialWeight(
                    name, kind, shape, size["std"], size["std"] * _fan_in(kind, shape) ** 0.5
                )
                for name, (kind, shape, size) in self.found.items()
                if "std" in size
            ),
            self.loaded,
        )


def _keep(into: dict[Any, float], key: object, value: float) -> None:
    into[key] = value


def _could_be(a: Tensor, b: Tensor) -> bool:
    return (
        a.shape == b.shape
        and a.ndim == 2
        and a.dtype == b.dtype
        and a.device == b.device
        and type(a) is type(b) is nn.Parameter
        and a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr()
    )


def _fan_in(kind: str, shape: tuple[int, ...]) -> int:
    """Inputs of one output: the second dimension, but the first of transformers' Conv1D."""
    if kind == "Conv1D" or len(shape) == 1:
        return shape[0]
    return int(torch.Size(shape[1:]).numel())


def _tensor_names(content: Any, depth: int = 3) -> Iterator[str]:
    if depth and isinstance(content, Mapping):
        for key, value in content.items():
            if isinstance(value, Tensor):
                yield str(key)
            else:
                yield from _tensor_names(value, depth - 1)
