"""Trained parameters without gradients: unused, or cut off (evidence ``GradientPaths``)."""

import inspect
import re
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.gradient_paths import GradientPaths, Ungraded
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.calls import Call, recording, tensors
from shindan.probes.events import OptimizerStep
from shindan.probes.frames import is_user_file
from shindan.probes.graphs import graph_leaves
from shindan.probes.look import Look, NoReplay
from shindan.probes.perturbing import effect
from shindan.probes.positions import NAMED
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.session import Session, parameters

ENOUGH = 8
"""Updates without a gradient before a parameter is asked about."""
ASKED = 12
"""Parameters changed one by one in a look; the others are told with the first of their module."""
LEAVING = ("item", "tolist", "numpy")
SOMETIMES = re.compile(r"expert|moe|adapter|branch|route|gate", re.IGNORECASE)


class GradientPathsProbe(Probe):
    """A shrinking list of the parameters whose ``grad`` has been None at every update."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.never: dict[int, weakref.ref[Tensor]] = {}
        self.steps = 0
        self.owned = 0
        self.found: GradientPaths | None = None
        self.because = Reason("not-looked-late")

    def on_step_done(self, step: OptimizerStep) -> None:
        """One attribute per parameter that never had a gradient: usually none is left."""
        if step.update == 0:
            held = {id(p): weakref.ref(p) for p in parameters(step.optimizer) if p.requires_grad}
            self.owned += len(held)
            self.never.update(held)
        self.steps = max(self.steps, step.update + 1)
        if self.never:
            self.never = {
                k: r for k, r in self.never.items() if (p := r()) is not None and p.grad is None
            }

    def on_look(self, look: Look) -> None:
        """Change each of them: do the logits move?"""
        if self.steps < ENOUGH or not (look.last or self.found is None):
            return
        left = [(n, p) for n, p in look.module.named_parameters() if id(p) in self.never]
        left = [(n, p) for n, p in left if p.requires_grad]
        trained = self.owned - len(self.never)
        if not left or not trained:
            self.found = GradientPaths(self.steps, trained, ())
            return
        try:
            self.found = _examined(Replay.of(look), left, self.steps, trained)
        except NoReplay as reason:
            self.because = reason.reason

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The newest."""
        yield self.found or Unavailable("GradientPaths", self.because)


def _examined(
    replay: Replay, left: list[tuple[str, nn.Parameter]], steps: int, trained: int
) -> GradientPaths:
    used = _used(replay, left)
    asked = left[:ASKED]
    rows = tuple(_row(replay, name, p, id(p) in used) for name, p in asked)
    cut, how = NOWHERE, ""
    if any(r.effect > 0 for r in rows):
        cut, how = _cut(replay, [p for _, p in left])
    return GradientPaths(steps, trained, rows, cut, how)


def _row(replay: Replay, name: str, parameter: nn.Parameter, used: bool) -> Ungraded:
    owner, library = _owner(replay.look.module, name)
    return Ungraded(
        name=name,
        owner=owner,
        library=library,
        elements=parameter.numel(),
        effect=effect(replay, [parameter]),
        used=used,
        position_table=bool(NAMED.search(name)),
        expert=bool(SOMETIMES.search(name)),
    )


def _used(replay: Replay, left: list[tuple[str, nn.Parameter]]) -> set[int]:
    """Ids of the parameters that a call of the replay took, or whose own module ran."""
    wanted = {id(p) for _, p in left}
    used: set[int] = set()

    def hear(call: Call) -> None:
        used.update(id(t) for t in tensors((*call.args, *call.kwargs.values())) if id(t) in wanted)

    def ran(module: nn.Module, args: Any, output: Any) -> None:
        if next(module.children(), None) is None:
            used.update(id(p) for p in module.parameters(recurse=False))

    handles = [m.register_forward_hook(ran) for m in replay.look.module.modules()]
    try:
        with recording(replay.look.module, hear):
            replay.states()
    finally:
        for handle in handles:
            handle.remove()
    return used & wanted


def _owner(root: nn.Module, name: str) -> tuple[str, bool]:
    """(name, is a library's) of the innermost module around it that torch did not write."""
    path = name.split(".")[:-1]
    for depth in range(len(path), -1, -1):
        module = root.get_submodule(".".join(path[:depth]))
        if not type(module).__module__.startswith("torch."):
            try:
                file = inspect.getfile(type(module))
            except (TypeError, OSError):
                return ".".join(path[:depth]), False
            return ".".join(path[:depth]), not is_user_file(file)
    return "", False


# -- where the graph ends ----------------------------------------------------------------------


def _cut(replay: Replay, wanted: list[nn.Parameter]) -> tuple[Where, str]:
    """Replay with gradients; the first value that goes on without the graph of a wanted one."""
    ids = {id(p) for p in wanted}
    found: list[tuple[Where, str]] = []

    def hear(call: Call) -> None:
        if found or not _leaves_graph(call):
            return
        for t in _inputs(call):
            if t.requires_grad and any(id(leaf) in ids for leaf in graph_leaves(t)):
                named = call.name in (*LEAVING, "detach", ".data", "detach_")
                found.append((call.where(), call.name if named else "no_grad"))
                return

    try:
        with torch.enable_grad(), recording(replay.look.module, hear):
            replay.states()
    except NoReplay:
        return NOWHERE, ""
    return found[0] if found else (NOWHERE, "")


def _inputs(call: Call) -> Iterator[Tensor]:
    return tensors((*call.args, *call.kwargs.values()))


def _leaves_graph(call: Call) -> bool:
    if call.name in LEAVING:
        return True
    result = call.result
    return isinstance(result, Tensor) and result.is_floating_point() and not result.requires_grad
