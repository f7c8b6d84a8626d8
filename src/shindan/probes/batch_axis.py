"""P3 and P4: other rows of the batch, and other documents of a packed row."""

import torch
from torch import Tensor

from shindan.core.evidence.interventions import BatchProbe, DocumentProbe
from shindan.probes.events import BatchEvent, ForwardCall
from shindan.probes.interventions import audit_of
from shindan.probes.look import Look, NoReplay
from shindan.probes.looking import Intervention
from shindan.probes.packing import boundaries
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.tracing import first_moved
from shindan.probes.trees import leaves

MOVED = 1e-3
"""Relative to the others' own movement: above float noise (1e-6), below any attention weight."""


class Rows(Intervention, Probe):
    """P3: change all rows but the last; the last one's logits must not move.

    The last: a recurrence over the batch axis carries the first rows into the later ones only.
    """

    gives = BatchProbe

    def examine(self, replay: Replay) -> BatchProbe:
        """One replay. Raises NoReplay."""
        ids = replay.look.ids
        rows, length = ids.shape
        if rows < 2:
            raise NoReplay("one-row")
        mates = torch.zeros_like(replay.real)
        mates[:-1] = True
        changed = torch.where(mates & replay.real, replay.look.other_ids(ids), ids)
        moved = replay.movement(replay.states(changed))
        others = float(moved[mates & replay.real].mean())
        own = moved[-1][replay.real[-1]]
        share = float((own > MOVED * others).float().mean()) if len(own) else 0.0
        attention, module = None, None
        if share > 0:
            calls = audit_of(replay).calls
            attention = next((c for c in calls if c.length == rows != length), None)
            module = first_moved(replay, changed, ~mates)
        return BatchProbe(
            float(own.mean()) if len(own) else 0.0,
            others,
            share,
            replay.certain,
            rows,
            length,
            attention,
            module,
        )


class Documents(Intervention, Probe):
    """P4: change the first document of packed rows; the later ones' logits must not move."""

    gives = DocumentProbe

    def __init__(self) -> None:
        super().__init__()
        self.recent: list[tuple[str, Tensor]] = []
        self.beside: list[tuple[str, Tensor]] = []

    def on_batch(self, event: BatchEvent) -> None:
        """Remember the newest batch only: what is in it may never reach the model."""
        self.recent = [(n, t) for n, t in leaves(event.batch, "batch") if t.ndim == 2]

    def on_forward(self, call: ForwardCall) -> None:
        """A call that will be replayed: its batch is the newest."""
        if call.rng is not None:
            self.beside = self.recent

    def on_look(self, look: Look) -> None:
        """Let go of the batch afterwards."""
        super().on_look(look)
        if look.last:
            self.recent, self.beside = [], []

    def examine(self, replay: Replay) -> DocumentProbe:
        """One replay. Raises NoReplay when nothing says that documents are to be kept apart."""
        signal = boundaries(replay, self.beside)
        if signal is None:
            raise NoReplay("documents-not-told-apart")
        ids = replay.look.ids
        starts = signal.starts
        number = starts.long().cumsum(1)
        rows = starts.any(1)
        first = (number == 0) & rows[:, None] & replay.real
        ends = torch.zeros_like(first)
        ends[:, :-1] = starts[:, 1:]
        column = torch.arange(ids.shape[1], device=ids.device)
        changed = first & ~ends & (column > 0)
        later = (number >= 1) & replay.real & replay.counted
        if not bool(changed.any()) or not bool(later.any()):
            raise NoReplay("no-second-document")
        new = torch.where(changed, replay.look.other_ids(ids), ids)
        moved = replay.movement(replay.states(new))
        return DocumentProbe(
            signal.kind,
            signal.name,
            int(starts.sum()) + len(ids),
            float(moved[later].mean()),
            float(moved[changed].mean()),
            next((c.where for c in audit_of(replay).calls), signal.where),
        )
