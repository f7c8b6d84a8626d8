"""Which rows of a loss are padding, and did they get gradients?"""

import torch
from torch import Tensor

from shindan.probes.edges import constant_runs

MOST = 1_000_000


def whole(tree: dict[str, Tensor]) -> list[Tensor]:
    """Clones of the two-dimensional integer and boolean arguments (B, T) of a call."""
    return [
        t.detach().clone()
        for t in tree.values()
        if not t.is_floating_point() and t.ndim == 2 and t.numel() <= MOST
    ]


def padding(arguments: list[Tensor]) -> Tensor | None:
    """(B, T) True at padding, in the script's layout; None when nothing is padded.

    A two-valued argument of which one value covers a single id; else constant runs of ids.
    """
    ids = max((t for t in arguments if t.dtype != torch.bool), key=_variety, default=None)
    if ids is None or min(ids.shape) < 2:
        return None
    for t in arguments:
        if t is ids or t.shape != ids.shape or not bool(((t == 0) | (t == 1)).all()):
            continue
        marks = t.bool()
        sides = [len(ids[side].unique()) for side in (~marks, marks)]
        if min(sides) == 1 and max(sides) > 1:
            return ~marks if sides[0] == 1 else marks
    for turned in (False, True):
        found = constant_runs(ids.T if turned else ids)
        if found is not None:
            return found[1].T if turned else found[1]
    return None


def counted(active: Tensor, padded: Tensor) -> tuple[int, int, int] | None:
    """(padded rows, those of them active, active rows); None when the rows are a selection.

    ``active`` (N,) says which rows of the loss got gradients. N is B * T, or a position short
    along either axis: then the slice that accuses least is taken.
    """
    grid = [padded, padded[:, :-1], padded[:-1], padded[:, 1:], padded[1:]]
    fits = [p.reshape(-1).to(active.device) for p in grid if p.numel() == len(active)]
    if not fits:
        return None
    least = min(fits, key=lambda p: int((p & active).sum()))
    return int(least.sum()), int((least & active).sum()), int(active.sum())


def _variety(t: Tensor) -> int:
    return len(t.unique())
