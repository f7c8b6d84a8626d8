"""Are rows masked anew when they come again? (evidence ``MaskRepeats``)

Every training step of a masked language model leaves two numbers a row: a hash of its original
tokens and one of the positions asked for. They stay on the device until a look.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.labels import MaskRepeats
from shindan.core.finding import Where
from shindan.core.reason import Reason
from shindan.probes.alignment import usual
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import LossCall
from shindan.probes.label_sampling import Counted
from shindan.probes.labelled import IGNORE, Labelled, Related, originals
from shindan.probes.labels import Labels
from shindan.probes.look import Look
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.trees import leaves

ROWS = 1 << 17
"""Rows remembered (three small integers each)."""
LONGEST = 1 << 13
ASKED = 3
"""Rows asked for fewer positions have the same mask again by chance."""
OFTEN = 4
"""Occurrences of an id in the kept batches from which its share of masks says something."""


class Masking(Probe):
    """Rows and their masks, step by step, once the labels have been read in a look."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.labels = next((p for p in session.probes if isinstance(p, Labels)), None)
        self.active = False
        self.held = 0
        self.notes: list[Tensor] = []
        self.weights = torch.randint(
            -(1 << 62), 1 << 62, (2, LONGEST), generator=torch.Generator().manual_seed(0)
        )
        self.found: MaskRepeats | None = None
        self.because = Reason("not-masked")

    def on_loss(self, call: LossCall) -> None:
        """The hashes of this step's rows."""
        if not self.active or not call.grad or call.kind not in LANGUAGE or self.held >= ROWS:
            return
        reading = self.labels.reading if self.labels else None
        if reading is None or reading.slice is None or call.forward is None:
            return
        tree = {"args": call.forward.args, "kwargs": call.forward.kwargs}
        ids = next((t for name, t in leaves(tree) if name == reading.path), None)
        if ids is None or ids.ndim != 2 or max(ids.shape) > LONGEST:
            return
        rows = usual((ids.shape[0], ids.shape[1]), ids.device)[reading.slice]
        if len(rows) != call.target.numel():
            return
        counted = Counted(
            call.target, call.params["ignore_index"], call.params.get("weight"), call.where, False
        )
        flat = torch.full((ids.numel(),), IGNORE, dtype=torch.long, device=ids.device)
        flat[rows] = counted.labels(IGNORE)
        grid = flat.reshape(ids.shape)
        self._note(*((ids.T, grid.T) if reading.turned else (ids, grid)))

    def _note(self, ids: Tensor, labels: Tensor) -> None:
        """Hash (B, T) ids and labels; positions without a token do not enter."""
        pad = self.pad
        asked = labels != IGNORE
        tokens = torch.where(asked, labels, ids.long())
        if pad is not None:
            tokens = torch.where(tokens == pad, 0, tokens + 1)
        if self.weights.device != ids.device:
            self.weights = self.weights.to(ids.device)
        first, second = self.weights[:, : ids.shape[1]]
        note = [(tokens * first).sum(1), (asked * second).sum(1), asked.sum(1)]
        self.notes.append(torch.stack(note))
        self.held += len(ids)

    pad: int | None = None

    def on_look(self, look: Look) -> None:
        """Is it a masked language model? What came again so far?"""
        labels = self.labels
        related = labels.related if labels else None
        if labels is None or related is None:
            return
        self.active = related.relation == "masked" and related.stray is None
        self.pad = labels.batches[-1].pad if not self.notes else self.pad
        if not self.active or not self.notes:
            return
        notes = torch.cat(self.notes, 1).cpu()
        self.notes = [notes]
        self.found = repeats(notes, fixed_ids(labels.batches, related), labels.where)
        self.because = Reason("no-row-again")

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """What came again."""
        yield self.found or Unavailable("MaskRepeats", self.because)


def repeats(notes: Tensor, fixed: float, where: Where) -> MaskRepeats | None:
    """From (3, N): row hash, mask hash, number of positions asked for."""
    rows, masks = notes[0][notes[2] >= ASKED], notes[1][notes[2] >= ASKED]
    _, index, visits = rows.unique(return_inverse=True, return_counts=True)
    again = visits[index] > 1
    if not bool(again.any()):
        return None
    pairs = torch.stack([index[again], masks[again]])
    different, seen = pairs.unique(dim=1), int((visits > 1).sum())
    return MaskRepeats(
        rows=seen,
        repeats=int(again.sum()) - seen,
        same=int(again.sum()) - different.shape[1],
        patterns=len(different[1].unique()),
        visits=float(visits[visits > 1].float().mean()),
        fixed_ids=fixed,
        where=where,
    )


def fixed_ids(batches: Sequence[Labelled], related: Related) -> float:
    """Share of tokens whose id is either always or never asked for: a rule, not a draw."""
    parts = [originals(b, related) for b in batches]
    tokens = torch.cat([t.reshape(-1) for t, _ in parts])
    chosen = torch.cat([c.reshape(-1) for _, c in parts])
    ids, index, n = tokens.unique(return_inverse=True, return_counts=True)
    asked = torch.zeros_like(n).index_add_(0, index, chosen.long())
    use = (n >= OFTEN) & (asked > 0)
    mixed = use & (asked < 0.95 * n)
    total = int(n[use].sum())
    return 1.0 - int(n[mixed].sum()) / total if total and len(ids) else 0.0
