"""Were the gradients cleared, and when? (evidence ``Zeroing``)"""

import statistics
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.zeroing import Zeroing, ZeroingRow
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.events import BackwardCall, OptimizerStep
from shindan.probes.frames import where
from shindan.probes.probe import Probe
from shindan.probes.session import Session, parameters

OPTIMIZERS = 4
TENSORS = 3
ELEMENTS = 256
"""Elements compared of each sampled gradient."""
FIRST = 64
"""Windows watched from the beginning; then one in EVERY."""
EVERY = 16
MOST = 512
"""Windows kept of an optimizer."""
PARALLEL = 0.9999
"""Cosine from which two sampled gradients are multiples of one another (clipping rescales)."""


@dataclass(eq=False)
class _Start:
    """The gradients at the start of one ``backward``; flags arrive by mail."""

    line: int | None
    version: int
    dirty: bool = False
    carried: bool = False
    fed: bool = False
    spoilt: bool = False
    """Whether what it left is not finite: a loop that looks clears it and skips the update."""
    held: Tensor | None = None


@dataclass(eq=False)
class _Window:
    starts: list[_Start] = field(default_factory=list)
    after: Tensor | None = None
    last_only: bool = False


@dataclass(eq=False)
class _Watched:
    """One optimizer: the parameters sampled and its windows."""

    name: str
    sampled: "list[weakref.ref[Tensor]]" = field(default_factory=list)
    used: Tensor | None = None
    count: int = 0
    current: _Window | None = None
    windows: list[_Window] = field(default_factory=list)
    step: Where = NOWHERE
    zero: Where = NOWHERE


class ZeroingProbe(Probe):
    """Looks at a few hundred gradient elements when ``backward`` begins and before each step."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.watched: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Watched] = (
            weakref.WeakKeyDictionary()
        )
        self.all: list[_Watched] = []

    def on_backward(self, backward: BackwardCall) -> None:
        """What is in the gradients now?"""
        for watched in self.watched.values():
            if watched.current is None:
                continue
            start = _Start(backward.where().line, _version(watched))
            watched.current.starts.append(start)
            held = start.held = _held(watched)
            if held is None:
                start.fed = True
                continue
            self._post((held != 0).any(), start, "dirty")
            if watched.used is not None and watched.used.shape == held.shape:
                self._post(_parallel(held, watched.used), start, "carried")

    def on_backward_done(self, backward: BackwardCall) -> None:
        """What this ``backward`` left, and whether it wrote into these gradients at all."""
        for watched in self.watched.values():
            window = watched.current
            if window is None or not window.starts:
                continue
            window.after = _held(watched)
            start = window.starts[-1]
            before, start.held = start.held, None
            after = window.after
            if after is not None:
                self._post(~after.isfinite().all(), start, "spoilt")
            if before is not None and after is not None and before.shape == after.shape:
                self._post((before != after).any(), start, "fed")

    def on_zero_grad(self, owner: object) -> None:
        """Remember the line."""
        for watched in self.watched.values():
            if watched.zero is NOWHERE and watched.count:
                watched.zero = where()

    def on_step(self, step: OptimizerStep) -> None:
        """A window ends here, unless ``backward`` runs inside the step."""
        watched = self.watched.get(step.optimizer)
        if watched is None:
            if len(self.all) >= OPTIMIZERS:
                return
            watched = self.watched[step.optimizer] = _Watched(type(step.optimizer).__name__)
            self.all.append(watched)
        if not watched.sampled:
            watched.sampled = _chosen(step.optimizer)
            watched.step = where()
        if not step.closure:
            self._close(watched)

    def on_step_done(self, step: OptimizerStep) -> None:
        """The next window begins."""
        watched = self.watched.get(step.optimizer)
        if watched is None:
            return
        if step.closure:
            self._close(watched)
        watched.count += 1
        due = watched.count <= FIRST or watched.count % EVERY == 0
        watched.current = _Window() if due and len(watched.windows) < MOST else None

    def _close(self, watched: _Watched) -> None:
        window, watched.current = watched.current, None
        watched.used = _held(watched)
        if window is None or not window.starts:
            return
        watched.windows.append(window)
        if window.after is not None and watched.used is not None:
            self._post(_parallel(window.after, watched.used), window, "last_only")
        window.after = None

    def _post(self, flag: Tensor, owner: object, name: str) -> None:
        self.session.mail.post(flag, lambda v: setattr(owner, name, bool(v)))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The counts so far."""
        rows = tuple(_row(w) for w in self.all if w.windows)
        if rows:
            yield Zeroing(rows)
        else:
            yield Unavailable("Zeroing", Reason("no-second-step"))


def _chosen(optimizer: torch.optim.Optimizer) -> "list[weakref.ref[Tensor]]":
    """First, middle and last of the small parameters that have a dense gradient."""
    fed = [p for p in parameters(optimizer) if p.grad is not None and not p.grad.is_sparse]
    small = [p for p in fed if p.numel() <= 1 << 16] or fed
    picked = {id(small[i]): small[i] for i in (0, len(small) // 2, -1)} if small else {}
    return [weakref.ref(p) for p in list(picked.values())[:TENSORS]]


def _held(watched: _Watched) -> Tensor | None:
    """Sampled elements of the gradients as they are now; None when there are none."""
    parts = [
        _strided(p.grad)
        for ref in watched.sampled
        if (p := ref()) is not None and p.grad is not None and not p.grad.is_sparse
    ]
    return torch.cat([p.float() for p in parts]) if parts else None


def _strided(grad: Tensor) -> Tensor:
    flat = grad.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)][:ELEMENTS]


def _version(watched: _Watched) -> int:
    return sum(p._version for ref in watched.sampled if (p := ref()) is not None)


def _parallel(a: Tensor, b: Tensor) -> Tensor:
    if a.shape != b.shape:
        return torch.zeros((), device=a.device)
    return torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0) > PARALLEL


def _row(watched: _Watched) -> ZeroingRow:
    windows = watched.windows
    multi = [w for w in windows if _is_accumulation(w)]
    return ZeroingRow(
        optimizer=watched.name,
        windows=len(windows),
        uncleared=sum(_is_uncleared(w) for w in windows),
        multi=len(multi),
        wiped=sum(w.last_only and not any(s.dirty for s in w.starts) for w in multi),
        gathered=sum(all(s.dirty for s in w.starts[1:]) for w in multi),
        per_update=round(statistics.median(len(_kept(w)) for w in windows)),
        step=watched.step,
        zero=watched.zero,
    )


def _kept(window: _Window) -> list[_Start]:
    """Without calls whose gradients were not finite: they belong to updates that were skipped."""
    return [start for start in window.starts if not start.spoilt]


def _is_uncleared(window: _Window) -> bool:
    """Gradients copied in from elsewhere (fp32 masters) are never written by ``backward``."""
    starts = window.starts
    return all(s.dirty for s in starts) and starts[0].carried and any(s.fed for s in starts)


def _is_accumulation(window: _Window) -> bool:
    """Several calls from one line, and nothing (such as a sharpness-aware step) in between."""
    kept = _kept(window)
    lines = {s.line for s in kept}
    versions = {s.version for s in kept}
    return len(kept) > 1 and len(lines) == 1 and len(versions) == 1
