"""A captured batch cut to fewer rows, so that looking needs no more memory than training did.

A probe holds several sets of logits at a time, (B, T, V) in float32, where training holds one or
two in half precision. Rows of a batch do not depend on each other, so a few of them tell the same.
"""

from dataclasses import replace

import torch
from torch import Tensor

from shindan.probes.alignment import align
from shindan.probes.capture import LANGUAGE, Capture, LossSeen
from shindan.probes.look import Look, NoReplay
from shindan.probes.trees import mapped

LOGITS = 2**26
"""Elements of one set of float32 logits that a look may hold: 256 MiB."""
ROWS = 4
"""Rows kept in any case: interventions on batch mates and on padding need several."""


def trimmed(look: Look) -> Look:
    """The same look on the first rows of its batch, when the whole is too large; else itself."""
    try:
        ids, classes = look.ids, look.classes
    except NoReplay:
        return look
    batch, length = ids.shape
    rows = max(ROWS, LOGITS // (length * classes))
    if rows >= batch:
        return look
    return Look(look.session, _cut(look, rows), look.update, look.last)


def _cut(look: Look, rows: int) -> Capture:
    taken, shape = look.taken, look._ids[1].shape
    axis = 0 if look.first_is_batch else 1
    grid = torch.arange(shape.numel(), device=look.ids.device).reshape(shape)
    kept = grid.narrow(axis, 0, rows).reshape(-1)

    def cut(t: Tensor) -> Tensor:
        ours = t.ndim > axis and t.shape[axis] == shape[axis]
        ambiguous = shape[0] == shape[1] and t.shape != shape
        return t.narrow(axis, 0, rows) if ours and not ambiguous else t

    call = replace(
        taken.call, args=mapped(taken.call.args, cut), kwargs=mapped(taken.call.kwargs, cut)
    )
    small = Capture(taken.live, call, taken.update, taken.module, closed=True)
    total = shape.numel()
    for name, full, digests in taken.outputs:
        if digests.shape[0] == total:
            width = (rows, shape[1]) if axis == 0 else (shape[0], rows)
            small.outputs.append((name, (*width, full[-1]), digests[kept]))
    small.losses = [s for seen in taken.losses if (s := _cut_loss(seen, look, kept)) is not None]
    return small


def _cut_loss(seen: LossSeen, look: Look, kept: Tensor) -> LossSeen | None:
    """The loss on the kept positions; None when its rows cannot be placed."""
    shape = look._ids[1].shape
    if seen.kind not in LANGUAGE or seen.target.is_floating_point():
        return None
    found = align(seen, look.taken.outputs, (shape[0], shape[1]))
    if found is None or len(found.rows) != seen.target.numel():
        return None
    inside = torch.isin(found.rows, kept)
    digests, target = seen.digest[inside], seen.target.reshape(-1)[inside]
    return LossSeen(
        seen.kind,
        (len(target), seen.shape[1]),
        digests,
        target,
        seen.params,
        seen.where,
        seen.inside,
    )
