"""Numbers about labelled batches (CPU tensors): padding, strays, ends of texts, corruption."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shindan.core.evidence.labels import Corruption, RowStarts, SpecialShare
from shindan.core.finding import Where
from shindan.probes.labelled import IGNORE, Labelled, Related, end_runs, originals
from shindan.probes.names import Found, Names

ROWS, SHORTEST = 16, 6
"""Rows, and tokens in one, that tell how rows begin."""
ALWAYS = 0.95
BEGINNING = ("bos", "sos", "cls")


def padding_counted(batch: Labelled) -> int:
    """Counted labels that are padding, asked from a position that is itself padding.

    The step from the last real token to the first padding is left out: with one id for padding
    and end of text it is the end, and meant.
    """
    return int((batch.counted & (batch.labels == batch.pad) & batch.padding).sum())


def strays(batch: Labelled, related: Related) -> tuple[int, Tensor]:
    """(number, true tokens) of the labels that are the stray constant."""
    lag, t = related.lag or 0, batch.ids.shape[1]
    y, x = batch.labels[:, : t - lag], batch.ids[:, lag:]
    at = (y == related.stray) & (x != related.stray) & ~batch.padding[:, lag:]
    return int(at.sum()), x[at].unique()


def dropped(batch: Labelled, lag: int, value: int) -> tuple[int, int]:
    """(labels that the ignore_index ``value`` drops inside texts, tokens inside texts).

    Inside: neither the first token of a row, nor in a run of ``value`` at its ends.
    """
    t = batch.ids.shape[1]
    inside = ~batch.padding & ~end_runs(batch.ids, value)
    inside[:, 0] = False
    x, y = batch.ids[:, lag:], batch.labels[:, : t - lag]
    gone = (x == value) & (y == IGNORE) & inside[:, lag:]
    return int(gone.sum()), int(inside.sum())


def starts(batches: Sequence[Labelled], names: Found, where: Where) -> RowStarts | None:
    """How these rows begin; None when they are few, or do not begin with one token."""
    whole = [row[~pad] for b in batches for row, pad in zip(b.ids, b.padding, strict=True)]
    rows = [row for row in whole if len(row) >= SHORTEST]
    if len(rows) < ROWS:
        return None
    values, counts = torch.stack([row[0] for row in rows]).unique(return_counts=True)
    first, n = int(values[counts.argmax()]), int(counts.max())
    if n < ALWAYS * len(rows):
        return None
    runs = torch.stack([(row == first).int().cumprod(0).sum() for row in rows])
    lengths, shares = runs.unique(return_counts=True)
    run = int(lengths[shares.argmax()])
    every = sum(int((row == first).sum()) for row in rows)
    said = sorted(role for role, number in names if number == first and role in BEGINNING)
    return RowStarts(
        len(rows),
        first,
        run,
        int(shares.max()),
        every - int(runs.sum()),
        said[0] if said else "",
        where,
    )


@dataclass(frozen=True)
class Ends:
    """Rows of one batch: see ``core.evidence.labels.EndOfText``."""

    rows: int
    padded: int
    ended: int
    absent: int
    counted: int


def ends(batch: Labelled, tight: bool) -> Ends:
    """Rows that evidently end with a token of the padding's id which is no padding, or do not.

    Shown by a mask whose last real tokens have that id; by left padding where every row ends
    with it; or, where batches are as wide as their longest row (``tight``), by a longest row that
    ends with exactly one, after different tokens. ``absent``: the longest row ends with none.
    """
    ids, pad = batch.ids, batch.pad
    at_pad = torch.eq(ids, -1 if pad is None else pad)
    right = at_pad.int().flip(1).cumprod(1).sum(1)
    ended = 0
    if batch.real is not None and bool(batch.real.any(1).all()):
        t = ids.shape[1]
        last = t - 1 - batch.real.int().flip(1).argmax(1)
        ended = int(at_pad.gather(1, last[:, None]).sum())
    if bool((right == 1).all()) and bool(at_pad[:, 0].any()):
        ended = len(ids)
    if tight and int(right.min()) == 1 and _varied_before(ids, right):
        ended = len(ids)
    absent = len(ids) if tight and int(right.min()) == 0 else 0
    padded = int(batch.padding.any(1).sum())
    return Ends(
        len(ids),
        padded,
        ended,
        absent,
        int((batch.counted & torch.eq(batch.labels, -1 if pad is None else pad)).sum()),
    )


def widths_follow_rows(batches: Sequence[Labelled]) -> bool:
    """Do the widths of batches differ by single positions (no fixed width, no multiple of 8)?"""
    widths = sorted({b.ids.shape[1] for b in batches})
    return len(widths) >= 3 and math.gcd(*(w - widths[0] for w in widths)) == 1


def _varied_before(ids: Tensor, right: Tensor) -> bool:
    at = (ids.shape[1] - 1 - right).clamp(min=0)
    before = ids.gather(1, at[:, None])[:, 0]
    return int(before.unique(return_counts=True)[1].max()) < 0.9 * len(ids)


def corruption(
    batches: Sequence[Labelled],
    related: Related,
    names: Names,
    where: Where,
) -> Corruption:
    """The census of a masked language model's batches."""
    mask = int(related.mask_id or 0)
    roles = _roles(batches, names.all, mask)
    parts = [(b, *originals(b, related)) for b in batches]
    sums = torch.zeros(6, dtype=torch.long)
    rates: list[Tensor] = []
    for batch, tokens, chosen in parts:
        content = ~_among(tokens, roles)
        c = chosen & content
        x = batch.ids
        masked, kept = c & (x == mask), c & (x == tokens)
        other = c & ~masked & ~kept
        special = other & _among(x, roles)
        sums += torch.stack([m.sum() for m in (content, c, masked, kept, other, special)])
        rates.append(torch.stack([content.sum(1), c.sum(1), masked.sum(1)], 1))
    n = torch.cat(rates).double()
    content_n, counted_n, masked_n, kept_n, other_n, special_n = (int(v) for v in sums)
    return Corruption(
        mask_id=mask,
        tokens=content_n,
        counted=counted_n,
        masked=masked_n,
        kept=kept_n,
        other=other_n,
        other_special=special_n,
        spread=_spread(n[:, 0], n[:, 2 if counted_n > 0.9 * content_n else 1]),
        rows=len(n),
        specials=tuple(
            SpecialShare(
                i,
                role,
                sum(int((t == i).sum()) for _, t, _ in parts),
                sum(int(((t == i) & c).sum()) for _, t, c in parts),
            )
            for i, role in sorted(roles.items())
        ),
        library_collator=names.collator,
        where=where,
    )


def _roles(batches: Sequence[Labelled], named: Found, mask: int) -> dict[int, str]:
    """Special ids by role: as the run names them, and the padding found in the batches."""
    roles = {number: role for role, number in sorted(named) if role not in ("mask", "unk")}
    pad = batches[-1].pad
    if pad is not None:
        roles[pad] = "pad"
    roles.pop(mask, None)
    return roles


def _among(ids: Tensor, some: Collection[int]) -> Tensor:
    return torch.isin(ids, torch.tensor(sorted(some), dtype=torch.long))


def _spread(n: Tensor, k: Tensor) -> float:
    """Variance of k over rows, over the binomial one with the common rate."""
    use = n > 0
    n, k = n[use], k[use]
    p = float(k.sum() / n.sum()) if len(n) else 0.0
    if len(n) < 8 or not 0 < p < 1:
        return 1.0
    return float(((k - n * p) ** 2).sum() / (n * p * (1 - p)).sum())
