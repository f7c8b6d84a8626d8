"""A batch as the loss saw it, and how its labels relate to its input (CPU tensors, (B, T))."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from shindan.core.evidence.labels import LagShare, Relation

IGNORE = -100
LAGS = (-2, -1, 0, 1, 2, 3)
EXACT = 0.98
"""Labels that are inputs at some distance are so without exception; the rest is room for cut rows
and for what an author replaced on purpose."""
ENOUGH = 20
"""Fewer pairs than this decide nothing."""


@dataclass(eq=False)
class Labelled:
    """``ids`` and ``labels`` (IGNORE where none counts), both (B, T); ``pad`` the padding's id.

    ``every``: the loss had a row for every position (none was sliced off before it);
    ``real``: the mask argument's real tokens, if the model has one.
    """

    ids: Tensor
    labels: Tensor
    pad: int | None = None
    every: bool = True
    real: Tensor | None = None

    @cached_property
    def counted(self) -> Tensor:
        """(B, T) True where a label counts."""
        return self.labels != IGNORE

    @cached_property
    def padding(self) -> Tensor:
        """(B, T) True in the runs of the padding's id at either end of a row."""
        return end_runs(self.ids, self.pad)

    def pairs(self, lag: int) -> tuple[Tensor, Tensor]:
        """(input, label) at this distance, where the label counts and its token is no padding."""
        t = self.ids.shape[1]
        if abs(lag) >= t:
            return self.ids.new_empty(0), self.labels.new_empty(0)
        low, high = max(0, -lag), min(t, t - lag)
        x, y = self.ids[:, low + lag : high + lag], self.labels[:, low:high]
        use = self.counted[:, low:high] & ~self.padding[:, low + lag : high + lag]
        return x[use], y[use]


@dataclass(frozen=True)
class Related:
    """How labels relate to inputs.

    ``mask_id``: the input that hides the label (relation ``masked``); ``stray``: a constant label
    that stands where the true token is another.
    """

    relation: Relation
    lag: int | None
    lags: tuple[LagShare, ...]
    mask_id: int | None = None
    stray: int | None = None


def end_runs(ids: Tensor, pad: int | None) -> Tensor:
    """(B, T) True in the runs of ``pad`` at the right and at the left end of each row."""
    if pad is None:
        return torch.zeros_like(ids, dtype=torch.bool)
    at = (ids == pad).int()
    right = at.flip(1).cumprod(1).flip(1)
    return (right | at.cumprod(1)).bool()


def relate(batches: Sequence[Labelled]) -> Related:
    """The relation that explains (nearly) every counted label of these batches."""
    pairs = {lag: _joined(batches, lag) for lag in LAGS}
    lags = tuple(
        LagShare(lag, float((x == y).float().mean()) if len(x) else 0.0, len(x))
        for lag, (x, y) in pairs.items()
    )
    following = _explained(*pairs[1])
    if following is not None:
        return Related("causal", 1, lags, stray=following[0])
    hidden = _hidden(*pairs[0], batches)
    if hidden is not None:
        return Related("masked", 0, lags, mask_id=hidden[0], stray=hidden[1])
    for lag, relation in ((0, "copied"), (2, "shifted"), (-1, "shifted"), (-2, "shifted")):
        found = _explained(*pairs[lag])
        if found is not None:
            return Related(relation, lag, lags, stray=found[0])  # type: ignore[arg-type]
    return Related("other", None, lags)


def _joined(batches: Sequence[Labelled], lag: int) -> tuple[Tensor, Tensor]:
    parts = [b.pairs(lag) for b in batches]
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def _explained(x: Tensor, y: Tensor) -> tuple[int | None] | None:
    """Does y equal x but for one constant label or one constant input? Which label?"""
    if len(x) < ENOUGH:
        return None
    differs = x != y
    if float(differs.float().mean()) <= 1 - EXACT:
        return (None,)
    label = _constant(y[differs], x[differs])
    if label is not None and _clean(x, y, y != label):
        return (label,)
    token = _constant(x[differs], y[differs])
    return (None,) if token is not None and _clean(x, y, x != token) else None


def _clean(x: Tensor, y: Tensor, use: Tensor) -> bool:
    """Equality must hold for enough of what is left, of more than one kind."""
    same = x[use] == y[use]
    if int(same.sum()) < ENOUGH or float(same.float().mean()) < EXACT:
        return False
    return len(y[use].unique()) >= 4 and int(use.sum()) * 20 >= len(use)


def _constant(values: Tensor, others: Tensor, share: float = 0.9) -> int | None:
    """The one value of nearly all, standing against four or more different others."""
    found, counts = values.unique(return_counts=True)
    top = counts.argmax()
    if int(counts[top]) < max(ENOUGH, share * len(values)):
        return None
    return int(found[top]) if len(others[values == found[top]].unique()) >= 4 else None


def _hidden(x: Tensor, y: Tensor, batches: Sequence[Labelled]) -> tuple[int, int | None] | None:
    """(mask id, stray label) when inputs that differ from their labels are mostly one id.

    That id must be a label nowhere and an input hardly anywhere but where a label counts.
    """
    differs = x != y
    if int(differs.sum()) < ENOUGH:
        return None
    stray = _constant(y[differs], x[differs], share=0.3)
    if stray is not None and int((x == y)[y == stray].sum()) * 20 > int((y == stray).sum()):
        stray = None
    use = differs if stray is None else differs & (y != stray)
    if int(use.sum()) < ENOUGH:
        return None
    found, counts = x[use].unique(return_counts=True)
    mask, n = int(found[counts.argmax()]), int(counts.max())
    if n * 10 < 4 * int(use.sum()) or len(y[use & (x == mask)].unique()) < 4:
        return None
    as_label = int((y == mask).sum())
    uncounted = sum(int(((b.ids == mask) & ~b.counted).sum()) for b in batches)
    return (mask, stray) if as_label * 50 <= n and uncounted * 10 <= n else None


def originals(batch: Labelled, related: Related) -> tuple[Tensor, Tensor]:
    """(original tokens, True where a label counts) of a masked language model's batch, (B, T)."""
    chosen = batch.counted
    if related.stray is not None:
        chosen = chosen & (batch.labels != related.stray)
    return torch.where(chosen, batch.labels, batch.ids), chosen
