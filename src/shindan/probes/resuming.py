"""Does a run that goes on from a checkpoint go on with everything? (evidence ``Resumptions``)"""

import re
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.checkpoints import Resumption, Resumptions
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.events import CheckpointEvent, LogEvent, OptimizerStep, SettingsEvent
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters

LOADS = 16
TENSORS = 4096
FIRST = 4
"""Learning rates kept of the updates after a load."""
LISTENS = 200
"""Updates after a load during which counters in prints and saves are compared."""
COUNTERS = ("step", "iter", "update", "epoch")
PRINTED = re.compile(r"\b(global_step|step|updates?|iter(?:ation)?|epoch)\b\W{0,3}(\d+)", re.I)
RESUMING = re.compile(r"resum|continu(?:e|ing) (?:from|training)|再開", re.I)
CLEAR = 3
"""Below this a counter that goes on cannot be told from one that starts anew."""


@dataclass(eq=False)
class _Load:
    where: Where
    pointers: set[int]
    counters: dict[str, int]
    holds_optimizer: bool
    schedule_saved: int
    lr_saved: float | None
    micro: int
    module: "weakref.ref[nn.Module] | None" = None
    optimizer_loaded: bool = False
    scheduler_loaded: bool = False
    optimizer: str = ""
    state_empty: bool = False
    stateful: bool = False
    updates: int = 0
    position: int | None = None
    lr: list[float] = field(default_factory=list)
    signs: set[str] = field(default_factory=set)


class Resuming(Probe):
    """Follows every checkpoint from its file into a model, and the first updates after."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.loads: list[_Load] = []
        self.asked = self.reset = False

    def on_settings(self, event: SettingsEvent) -> None:
        """Does the command line ask to resume, or to start afresh?"""
        if event.kind != "argparse":
            return
        for name in event.extra.get("given", ()):
            if event.values.get(name):
                self.asked |= "resume" in name.lower()
                self.reset |= "reset" in name.lower() or "fresh" in name.lower()

    def on_checkpoint(self, event: CheckpointEvent) -> None:
        """Link files to modules, optimizers and schedulers."""
        if event.kind == "load" and isinstance(event.content, Mapping):
            self.loads = [*self.loads, _read(event, self.session.micro)][-LOADS:]
        elif event.kind == "module_load" and isinstance(event.target, nn.Module):
            self._into_module(event)
        elif event.kind == "save":
            self._saved(event.content)
        for load in self.loads[-1:]:
            load.optimizer_loaded |= event.kind == "optimizer_load"
            if event.kind == "scheduler_load":
                load.scheduler_loaded = True
                load.signs.add("scheduler")

    def _into_module(self, event: CheckpointEvent) -> None:
        if not isinstance(event.content, Mapping):
            return
        found = {
            t.data_ptr() for t in event.content.values() if isinstance(t, Tensor) and t.numel()
        }
        for load in self.loads:
            if load.updates == 0 and load.pointers & found:
                load.module = weakref.ref(event.target)

    def _saved(self, content: Any) -> None:
        if isinstance(content, Mapping):
            for load in self._going_on():
                for name, value in _counters(content):
                    self._continues(load, name, value, "saved")

    def on_log(self, event: LogEvent) -> None:
        """A printed counter that goes on from the file's, or the word itself."""
        for load in self._going_on():
            if load.updates <= FIRST and RESUMING.search(event.text):
                load.signs.add("said")
            for name, value in PRINTED.findall(event.text)[:4]:
                self._continues(load, name.lower(), int(value), "printed")

    def _going_on(self) -> Iterator[_Load]:
        return (x for x in self.loads if x.module is not None and x.updates <= LISTENS)

    def _continues(self, load: _Load, name: str, value: int, sign: str) -> None:
        """Counters of updates or micro-steps continue when value - since = the file's."""
        since = (load.updates, self.session.micro - load.micro)
        for saved_name, saved in load.counters.items():
            if saved < CLEAR or ("epoch" in name) != ("epoch" in saved_name):
                continue
            if "epoch" in name:
                same = load.updates <= FIRST and value in (saved, saved + 1)
            else:
                same = any(abs(value - s - saved) <= 1 for s in since)
            if same:
                load.signs.add(sign)

    def on_step(self, step: OptimizerStep) -> None:
        """The state with which an optimizer first trains a loaded model."""
        for load in self._training(step):
            if len(load.lr) < FIRST:
                load.lr.append(float(step.optimizer.param_groups[0]["lr"]))
            if load.updates == 0:
                load.pointers = set()
                load.optimizer = type(step.optimizer).__name__
                load.state_empty = not any(step.optimizer.state.values())
                load.position = self._position(step.optimizer)

    def on_step_done(self, step: OptimizerStep) -> None:
        """Count; does it keep a state at all?"""
        for load in self._training(step):
            load.updates += 1
            if load.updates == 1:
                states = list(step.optimizer.state.values())[:4]
                load.stateful = any(
                    isinstance(v, Tensor) and v.ndim > 0
                    for s in states
                    if isinstance(s, dict)
                    for v in s.values()
                )

    def _training(self, step: OptimizerStep) -> Iterator[_Load]:
        """Loads whose module this optimizer trains; asked only for the first updates."""
        for load in self.loads:
            module = load.module() if load.module is not None else None
            if module is None or load.updates > LISTENS:
                continue
            if load.updates > 0:
                if load.optimizer == type(step.optimizer).__name__:
                    yield load
                continue
            mine = {id(p) for p in parameters(step.optimizer)}
            if any(id(p) in mine for p in module.parameters()):
                yield load

    def _position(self, optimizer: torch.optim.Optimizer) -> int | None:
        for ref in self.session.schedulers:
            scheduler = ref()
            if scheduler is not None and getattr(scheduler, "optimizer", None) is optimizer:
                return int(scheduler.last_epoch)
        return None

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The loads after which a model was trained."""
        done = [x for x in self.loads if x.updates]
        if not done:
            yield Unavailable("Resumptions", Reason("not-resumed"))
            return
        yield Resumptions(tuple(map(self._told, done)))

    def _told(self, load: _Load) -> Resumption:
        signs = load.signs | ({"asked"} if self.asked else set())
        return Resumption(
            file=load.where.file,
            line=load.where.line,
            counter=max(load.counters.values(), default=0),
            signs=tuple(sorted(signs)),
            holds_optimizer=load.holds_optimizer,
            optimizer_loaded=load.optimizer_loaded,
            scheduler_loaded=load.scheduler_loaded,
            optimizer=load.optimizer,
            state_empty=load.state_empty,
            stateful=load.stateful,
            updates=load.updates,
            schedule_position=load.position,
            schedule_saved=load.schedule_saved,
            lr_saved=load.lr_saved,
            lr=tuple(load.lr),
            reset_asked=self.reset,
        )


def _read(event: CheckpointEvent, micro: int) -> _Load:
    """What of interest is in a file."""
    states = [v for v in _mappings(event.content) if _is_optimizer(v)]
    schedules = [
        v["last_epoch"]
        for v in _mappings(event.content)
        if isinstance(v.get("last_epoch"), int) and "_step_count" in v
    ]
    groups = states[0]["param_groups"] if states else []
    lr = groups[0].get("lr") if groups and isinstance(groups[0], Mapping) else None
    return _Load(
        where=event.where or NOWHERE,
        pointers=_pointers(event.content),
        counters=dict(_counters(event.content)),
        holds_optimizer=any(v["state"] for v in states),
        schedule_saved=max(schedules, default=0),
        lr_saved=float(lr) if isinstance(lr, (int, float)) else None,
        micro=micro,
    )


def _mappings(content: Any, depth: int = 2) -> Iterator[Mapping[Any, Any]]:
    if isinstance(content, Mapping):
        yield content
        if depth:
            for value in list(content.values())[:200]:
                yield from _mappings(value, depth - 1)


def _is_optimizer(state: Mapping[Any, Any]) -> bool:
    return isinstance(state.get("state"), Mapping) and isinstance(state.get("param_groups"), list)


def _counters(content: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    """Step counters by name; those of optimizers and schedulers (``_step_count``) do not count."""
    for mapping in _mappings(content, 1):
        for key, value in list(mapping.items())[:500]:
            named = isinstance(key, str) and not key.startswith(("_", "last_"))
            if (
                named
                and type(value) is int
                and value > 0
                and any(c in key.lower() for c in COUNTERS)
            ):
                yield key.lower(), value


def _pointers(content: Any) -> set[int]:
    found: set[int] = set()
    for mapping in _mappings(content):
        for value in mapping.values():
            if isinstance(value, Tensor) and value.numel() and len(found) < TENSORS:
                found.add(value.data_ptr())
    return found
