"""The modes of trained modules at training and evaluation (evidence ``ModeLedger``)."""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.modes import ModeLedger, RootModes
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE, plain
from shindan.probes.events import BackwardCall, ForwardCall, LossCall
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.session import Session, parameters
from shindan.probes.trees import leaves

EVERY = 8
"""Training forwards between two counts of the dropout modules' own modes."""
STRETCH = 2
"""Calls without gradients in a row that make an evaluation, when no loss function is called."""


@dataclass(eq=False)
class _Root:
    ref: "weakref.ref[nn.Module]"
    name: str
    owned: bool = False
    steps: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    losses: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    stretches: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    calls: int = 0
    shape: Any = None
    first_eval: int | None = None
    evaluated: Where = NOWHERE
    trained: Where = NOWHERE
    drops: list["weakref.ref[nn.Module]"] = field(default_factory=list)
    silent_first: int | None = None
    silent_last: int = 0
    noise: float | None = None


class Modes(Probe):
    """Root modes at every training forward and evaluation; dropout modules' own now and then."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.roots: dict[int, _Root] = {}

    def on_forward(self, call: ForwardCall) -> None:
        """Count calls without gradients; the next one with gradients ends the stretch."""
        if call.grad:
            root = self.roots.get(id(plain(call.module)))
            if root is not None and root.calls:
                root.calls = 0
            return
        root = self._root(plain(call.module))
        shape = next((t.shape for _, t in leaves((call.args, call.kwargs)) if t.ndim >= 2), None)
        root.calls = root.calls + 1 if shape == root.shape or not root.calls else 0
        root.shape = shape
        if root.calls == STRETCH:
            root.stretches[call.training] += 1

    def on_loss(self, call: LossCall) -> None:
        """A language loss without gradients, of a call without gradients, is an evaluation."""
        if call.grad or call.kind not in LANGUAGE or call.forward is None or call.forward.grad:
            return
        root = self._root(plain(call.forward.module))
        root.losses[call.forward.training] += 1
        if call.forward.training and root.losses[True] == 1:
            root.evaluated = call.where

    def on_backward(self, backward: BackwardCall) -> None:
        """The calls that this backward trains."""
        seen: set[int] = set()
        for call in backward.calls:
            module = plain(call.module)
            if call.grad and id(module) not in seen:
                seen.add(id(module))
                self._trained(self._root(module), module, call.training, backward)

    def _trained(
        self, root: _Root, module: nn.Module, training: bool, backward: BackwardCall
    ) -> None:
        total = sum(root.steps.values())
        if not root.owned and not total & (total - 1):
            root.owned = self._owns(module)
            root.drops = [weakref.ref(m) for m in module.modules() if _drops(m)]
        root.steps[training] += 1
        if not training and root.first_eval is None:
            root.first_eval, root.trained = total, backward.where()
        if training and total % EVERY == 0:
            silent = sum(m is not None and not m.training for m in (r() for r in root.drops))
            root.silent_last = silent
            if root.silent_first is None:
                root.silent_first = silent

    def _owns(self, module: nn.Module) -> bool:
        alive = [o for ref in self.session.optimizers if (o := ref()) is not None]
        owned = {id(p) for optimizer in alive for p in parameters(optimizer)}
        return any(id(p) in owned for p in module.parameters())

    def _root(self, module: nn.Module) -> _Root:
        root = self.roots.get(id(module))
        if root is None or root.ref() is not module:
            root = self.roots[id(module)] = _Root(weakref.ref(module), type(module).__name__)
        return root

    def on_look(self, look: Look) -> None:
        """Does the mode matter? Asked only when it was not as expected."""
        root = self.roots.get(id(look.module))
        if root is None or root.noise is not None:
            return
        if not (root.steps[False] or root.losses[True] or root.stretches[True]):
            return
        replay = Replay.of(look)
        modes = look.modes
        look.modes = [(m, True) for m, _ in modes]
        try:
            moved = replay.movement(replay.states(train=True))
            root.noise = float(moved[replay.real].mean()) / max(replay.spread, 1e-12)
        except NoReplay:
            return
        finally:
            look.modes = modes

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The roots that an optimizer owns."""
        owned = [r for r in self.roots.values() if r.owned]
        if not owned:
            yield Unavailable("ModeLedger", Reason("no-owned-module-trained"))
            return
        owned.sort(key=lambda r: -sum(r.steps.values()))
        yield ModeLedger(tuple(_told(r) for r in owned[:8]))


def _told(root: _Root) -> RootModes:
    evaluations = root.losses if sum(root.losses.values()) else root.stretches
    if sum(root.stretches.values()) * 2 > max(sum(root.steps.values()), 1) and (
        evaluations is root.stretches
    ):
        evaluations = {True: 0, False: 0}  # part of every training step: no evaluation
    return RootModes(
        name=root.name,
        train_steps=root.steps[True],
        eval_steps=root.steps[False],
        first_eval=root.first_eval,
        evaluations_train=evaluations[True],
        evaluations_eval=evaluations[False],
        evaluated=root.evaluated,
        trained=root.trained,
        dropouts=len(root.drops),
        silent_first=root.silent_first or 0,
        silent_last=root.silent_last,
        noise=root.noise,
    )


def _drops(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    rate = getattr(module, "dropout", None)
    return isinstance(module, nn.MultiheadAttention) and isinstance(rate, float) and rate > 0
