"""How far a model sees, and what its predictions say at other distances (within a deep look)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from shindan.probes.look import Look, NoReplay
from shindan.probes.trees import leaves

MOVED = 1e-4
"""Change of a logit (or state), relative to the spread of all of them, that is no rounding
(float32 replays of equal inputs differ by 1e-6)."""


def states_of(look: Look, ids: Tensor | None = None) -> Tensor:
    """(B, T, V) logits, else (B, T, D) what the root returns for each position. NoReplay."""
    try:
        return look.logits(ids)
    except NoReplay:
        shape = look.ids.shape if look.first_is_batch else look.ids.T.shape
        for _, t in leaves(look.call(ids)):
            if t.is_floating_point() and t.ndim == 3 and t.shape[:2] == shape:
                return t.float() if look.first_is_batch else t.float().transpose(0, 1)
        raise


def loss_at(logits: Tensor, ids: Tensor, lag: int, pad: tuple[int, Tensor] | None) -> float:
    """Mean cross-entropy of (B, T, V) logits against the ids ``lag`` positions on."""
    t = ids.shape[1]
    if abs(lag) >= t:
        return float("nan")
    low, high = max(0, -lag), min(t, t - lag)
    target = ids[:, low + lag : high + lag].long()
    rows = logits[:, low:high]
    use = rows.isfinite().all(-1) & (target < logits.shape[-1])
    if pad is not None:
        use &= ~pad[1][:, low + lag : high + lag]
    return float(cross_entropy(rows[use], target[use])) if bool(use.any()) else float("nan")


def reach_of(look: Look, states: Tensor, ids: Tensor) -> int | None:
    """The furthest token relative to its own position that moves a prediction.

    One token in the middle of every row is replaced; predictions two before it to two after it
    are compared. None when nothing moves, or too few rows have a token there.
    """
    t = ids.shape[1]
    if t < 6:
        return None
    real = torch.ones_like(ids, dtype=torch.bool) if look.pad is None else ~look.pad[1]
    wide = real[:, 2:-2]
    p = int(wide.sum(0).argmax()) + 2 if bool(wide.any()) else t // 2
    rows = real[:, p]
    changed = ids.clone()
    changed[:, p] = look.other_ids(ids)[:, p]
    rows &= changed[:, p] != ids[:, p]
    if int(rows.sum()) < 2:
        return None
    moved = (states_of(look, changed) - states).abs().amax(-1)[rows][:, p - 2 : p + 3]
    finite = states[states.isfinite()]
    if finite.numel() < 2:
        return None
    scale = float(finite.std())
    seen = (moved.nan_to_num(0.0) > MOVED * scale).float().mean(0) > 0.5
    for before, yes in zip((2, 1, 0, -1, -2), seen.tolist(), strict=True):
        if yes:
            return before
    return None
