"""A census of the parameters at doubling updates (evidence ``ParamLedger``)."""

import re
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger, ParamRow
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE, plain
from shindan.probes.events import (
    CheckpointEvent,
    ForwardCall,
    LossCall,
    OptimizerStep,
    SettingsEvent,
)
from shindan.probes.freshness import looks_random
from shindan.probes.graphs import graph_leaves
from shindan.probes.look import Look, NoReplay
from shindan.probes.names import flags, flat, spoken
from shindan.probes.origins import pretrained
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters

SAMPLED = 64
"""Elements of each parameter compared between censuses."""
ROOTS = 16
TESTED = 32
"""Frozen parameters tested for fresh randomness."""
FREEZING = re.compile(r"freez|frozen(?!set|\s*=)", re.IGNORECASE)
"""Words of an author who freezes (``dataclass(frozen=True)`` is none)."""
SCALE_FREE = ("adam", "lion", "lamb", "rmsprop", "adagrad", "adafactor", "sign", "muon", "sophia")


@dataclass(eq=False)
class _Seen:
    """What is remembered of one parameter; flags are set by mail."""

    ref: "weakref.ref[Tensor]"
    first: Tensor | None = None
    had_grad: bool = False
    nonzero: bool = False
    moved: bool = False
    loaded: bool = False
    stepped: bool = False
    random: bool | None = None
    head: bool = False
    answers: bool = False


@dataclass(eq=False)
class _Owner:
    number: int
    updates: int = 0
    decay_travel: float = 0.0
    closure: bool = False


class Parameters(Probe):
    """Who owns each parameter, does it get gradients, does it move."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.roots: list[weakref.ref[nn.Module]] = []
        self.seen: dict[int, _Seen] = {}
        self.owners: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Owner] = (
            weakref.WeakKeyDictionary()
        )
        self.rows: tuple[tuple[ParamRow, _Seen], ...] = ()
        self.optimizers: tuple[OptimizerRow, ...] = ()
        self.censuses = 0
        self.counted = 0
        self.setting = ""
        self.spoken: bool | None = None

    def on_forward(self, call: ForwardCall) -> None:
        """A root that records gradients is (perhaps) trained."""
        if not call.grad or any(r() is call.module for r in self.roots):
            return
        self.roots = [r for r in self.roots if r() is not None][-ROOTS + 1 :]
        self.roots.append(weakref.ref(call.module))

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """Remember whose values came from a file, or were given."""
        into = event.kind in ("module_load", "table")
        if not into or not isinstance(event.target, nn.Module):
            return
        keys = set(event.content) if isinstance(event.content, dict) else set()
        for name, parameter in event.target.named_parameters(remove_duplicate=False):
            if name in keys:
                self._about(parameter).loaded = True

    def on_loss(self, call: LossCall) -> None:
        """At a census: which parameters give the answers that are held against labels?"""
        supervised = call.grad and call.kind in LANGUAGE and not call.target.is_floating_point()
        lively = call.forward is not None and call.forward.training
        if supervised and lively and self._due(self.session.update):
            for leaf in graph_leaves(call.input):
                self._about(leaf).answers = True

    def on_step(self, step: OptimizerStep) -> None:
        """Number the optimizers as they first step."""
        owner = self.owners.get(step.optimizer)
        if owner is None:
            owner = self.owners[step.optimizer] = _Owner(self.counted)
            self.counted += 1
        owner.updates += 1
        owner.closure |= step.closure
        owner.decay_travel += max(
            (
                float(g["lr"]) * float(g.get("weight_decay") or 0.0)
                for g in step.optimizer.param_groups
            ),
            default=0.0,
        )

    def on_step_done(self, step: OptimizerStep) -> None:
        """A census at updates 0, 1, 3, 7, 15, ..."""
        if not self._due(step.update):
            return
        if step.optimizer is self.session.main_optimizer or len(self.owners) <= 4:
            self._census()

    def _due(self, update: int) -> bool:
        return not (update + 1) & update

    def on_settings(self, event: SettingsEvent) -> None:
        """Does one ask to freeze?"""
        asked = (n for n, v in flat(event.values) if v and FREEZING.search(n))
        self.setting = next(asked, self.setting)

    def on_look(self, look: Look) -> None:
        """Test once for fresh randomness what is frozen or owned by no optimizer.

        Does the script speak of freezing?
        """
        frozen = [p for p in look.module.parameters() if not p.requires_grad]
        heads = _heads(look) if frozen else set()
        for parameter in frozen[:TESTED]:
            self._about(parameter).head |= id(parameter) in heads
        rows = [s for row, s in self.rows if row.requires_grad and not row.owned and s.answers]
        for seen in [*map(self._about, frozen[:TESTED]), *rows[:TESTED]]:
            tested = seen.ref()
            if seen.random is None and tested is not None:
                seen.random = looks_random(tested)
        if frozen and self.spoken is None:
            named = (n for n, v in flags().items() if v and FREEZING.search(n))
            self.setting = self.setting or next(named, "")
            self.spoken = spoken(FREEZING)

    def _about(self, parameter: Tensor) -> _Seen:
        seen = self.seen.get(id(parameter))
        if seen is None or seen.ref() is not parameter:
            seen = self.seen[id(parameter)] = _Seen(weakref.ref(parameter))
        return seen

    def _census(self) -> None:
        self.censuses += 1
        for _, _, _, trained in self._trained():
            self._look_at(trained, self._about(trained))
        for optimizer in self.owners:
            for parameter in parameters(optimizer):
                self._about(parameter).stepped |= parameter.requires_grad
        self.rows, self.optimizers = tuple(self._rows()), tuple(self._optimizers())

    def _look_at(self, parameter: Tensor, seen: _Seen) -> None:
        mail = self.session.mail
        sample = _sample(parameter)
        if seen.first is None:
            seen.first = sample
        elif not seen.moved and sample.shape == seen.first.shape:
            changed = (sample != seen.first.to(sample.device)).any()
            mail.post(changed, lambda v: _mark(seen, "moved", v))
        grad = parameter.grad
        if grad is not None:
            seen.had_grad = True
            if not seen.nonzero and not grad.is_sparse and grad.numel():
                mail.post(grad.detach().count_nonzero(), lambda v: _mark(seen, "nonzero", v))
            seen.nonzero |= grad.is_sparse

    def _trained(self) -> Iterator[tuple[nn.Module, nn.Module, str, nn.Parameter]]:
        """(root, holder, name, parameter), each parameter once."""
        known: set[int] = set()
        for ref in self.roots:
            root = ref()
            if root is None:
                continue
            root = plain(root)
            for prefix, module in root.named_modules():
                for leaf, parameter in module._parameters.items():
                    if parameter is not None and id(parameter) not in known:
                        known.add(id(parameter))
                        yield root, module, f"{prefix}.{leaf}" if prefix else leaf, parameter

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The ledger of the last census; flags that arrived since are in it."""
        if not self.censuses:
            yield Unavailable("ParamLedger", Reason("no-optimizer-stepped"))
            return
        rows = tuple(_judged(row, seen) for row, seen in self.rows)
        yield ParamLedger(
            rows,
            self.optimizers,
            self.censuses,
            self.session.update,
            self.setting,
            bool(self.spoken),
        )

    def _rows(self) -> Iterator[tuple[ParamRow, _Seen]]:
        places: dict[int, tuple[torch.optim.Optimizer, int]] = {}
        for optimizer in (o for ref in self.session.optimizers if (o := ref()) is not None):
            for number, group in enumerate(optimizer.param_groups):
                places.update((id(p), (optimizer, number)) for p in group["params"])
        filled: dict[nn.Module, bool] = {}
        for root, module, name, parameter in self._trained():
            row = self._row(root, module, name, parameter, places.get(id(parameter)))
            if root not in filled:
                filled[root] = bool(pretrained(root, self.session.fresh))
            yield replace(row, loaded=filled[root]), self._about(parameter)

    def _row(
        self,
        root: nn.Module,
        module: nn.Module,
        name: str,
        parameter: nn.Parameter,
        place: tuple[torch.optim.Optimizer, int] | None,
    ) -> ParamRow:
        owner = self.owners.get(place[0]) if place else None
        group = place[0].param_groups[place[1]] if place else {}
        return ParamRow(
            name=name,
            root=self._label(root),
            kind=type(module).__name__,
            shape=tuple(parameter.shape),
            dtype=str(parameter.dtype).removeprefix("torch."),
            requires_grad=parameter.requires_grad,
            owned=place is not None,
            optimizer=owner.number if owner else None,
            group=place[1] if place else None,
            weight_decay=float(group.get("weight_decay") or 0.0),
        )

    def _label(self, root: nn.Module) -> str:
        """The class of a root, numbered when several roots share it."""
        alive = [plain(r) for ref in self.roots if (r := ref()) is not None]
        same = [r for r in alive if type(r) is type(root)]
        place = next((i for i, r in enumerate(same) if r is root), 0)
        return type(root).__name__ + (f" {place + 1}" if place else "")

    def _optimizers(self) -> Iterator[OptimizerRow]:
        known = {id(p) for _, _, _, p in self._trained()}
        for optimizer, owner in self.owners.items():
            groups = optimizer.param_groups
            held = list(parameters(optimizer))
            yield OptimizerRow(
                number=owner.number,
                name=type(optimizer).__name__,
                scale_free=scale_free(optimizer),
                eps=float(groups[0].get("eps") or 0.0) if _is_number(groups[0].get("eps")) else 0.0,
                elements=sum(p.numel() for p in held),
                updates=owner.updates,
                weight_decays=tuple(float(g.get("weight_decay") or 0.0) for g in groups),
                decay_travel=owner.decay_travel,
                closure=owner.closure,
                strangers=tuple(
                    tuple(p.shape) for p in held[:4096] if id(p) not in known and p.grad is None
                ),
            )


def scale_free(optimizer: torch.optim.Optimizer) -> bool:
    """Do its steps stay the same when all gradients are multiplied by a constant?"""
    name = type(optimizer).__name__.lower()
    if any(word in name for word in SCALE_FREE):
        return True
    state = next(iter(optimizer.state.values()), None)
    return isinstance(state, dict) and "exp_avg_sq" in state


def _heads(look: Look) -> set[int]:
    """The weights of the matrices that could make the logits."""
    try:
        classes = look.classes
    except NoReplay:
        return set()
    made = (m for m in look.module.modules() if getattr(m, "out_features", None) == classes)
    return {id(getattr(m, "weight", None)) for m in made}


def _judged(row: ParamRow, seen: _Seen) -> ParamRow:
    now = seen.ref()  # it may have been unfrozen since
    return replace(
        row,
        requires_grad=row.requires_grad or (now is not None and now.requires_grad),
        head=seen.head,
        answers=seen.answers,
        grad="nonzero" if seen.nonzero else "zero" if seen.had_grad else "none",
        moved=seen.moved,
        loaded=row.loaded or seen.loaded,
        trained_before=seen.stepped,
        random=seen.random,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _sample(parameter: Tensor) -> Tensor:
    flat = parameter.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLED)][:SAMPLED].clone()


def _mark(seen: _Seen, name: str, value: float) -> None:
    if value:
        setattr(seen, name, True)
