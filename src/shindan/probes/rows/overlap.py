"""N-grams that evaluation shares with training, in bounded memory by sampling hashes."""

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.rows import EvalGroup, SplitOverlap
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.places import Place

KEPT = 200_000
"""Hashes kept of training; above it only every second hash value counts, and so on."""
BATCHES = 128
"""Evaluation batches kept of one place."""
LONGEST = 16
LEAST = 6
_ROOT = 0x5DEECE66D
NONE: Ints = np.empty(0, dtype=np.int64)
_INVERSE = pow(_ROOT, -1, 1 << 64)
_MIX = np.int64(0x369DEA0F31A53F85)


def ngram_length(width: int) -> int:
    """16 tokens, or half of rows shorter than 32; never fewer than 6."""
    return max(LEAST, min(LONGEST, width // 2))


def ngrams(rows: Ints, n: int, pad: int | None) -> Ints:
    """Hashes of all windows of ``n`` tokens in rows (B, T), flat; windows with padding are not.

    A polynomial modulo 2^64 by running sums, then mixed so that single bits can be sampled.
    """
    t = rows.shape[1]
    if t < n:
        return NONE
    sums = np.cumsum((rows + 1) * _powers(_ROOT, t), axis=1)
    sums = np.concatenate([np.zeros((len(rows), 1), dtype=np.int64), sums], axis=1)
    windows = (sums[:, n:] - sums[:, :-n]) * _powers(_INVERSE, t)[: t - n + 1]
    windows = (windows ^ (windows >> 32)) * _MIX
    windows ^= windows >> 29
    if pad is None:
        flat: Ints = windows.reshape(-1)
        return flat
    padding = np.cumsum(rows == pad, axis=1)
    padding = np.concatenate([np.zeros((len(rows), 1), dtype=np.int64), padding], axis=1)
    chosen: Ints = windows[(padding[:, n:] - padding[:, :-n]) == 0]
    return chosen


@functools.lru_cache(maxsize=64)
def _powers(base: int, t: int) -> Ints:
    """(T,) powers of ``base`` modulo 2^64."""
    powers = np.full(t, base, dtype=np.uint64)
    powers[0] = 1
    result: Ints = np.cumprod(powers).astype(np.int64)
    return result


def sampled(hashes: Ints, mask: int) -> Ints:
    """The hashes whose chosen bits are zero."""
    return hashes if not mask else hashes[((hashes >> 40) & mask) == 0]


@dataclass
class Group:
    """Sampled hashes of the evaluation batches of one place."""

    place: Place
    batches: list[Ints] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


class Overlap:
    """Training n-grams, and evaluation batches by place."""

    def __init__(self) -> None:
        self.n = 0
        self.mask = 0
        self.train: list[Ints] = []
        self.again: list[Ints] = []
        self.count = 0
        self.groups: dict[Place, Group] = {}

    def trained(self, rows: Ints, pad: int | None, new: NDArray[np.bool_] | None) -> None:
        """One training batch, and which of its rows never came before (None: not known)."""
        if not self.n:
            self.n = ngram_length(rows.shape[1])
        fresh = rows if new is None else rows[new]
        again = rows[:0] if new is None else rows[~new]
        for into, part in ((self.train, fresh), (self.again, again)):
            into.append(sampled(ngrams(part, self.n, pad), self.mask).copy())
            self.count += len(into[-1])
        while self.count > KEPT and self.mask < 1 << 20:
            self.mask = self.mask * 2 + 1
            self.train = [sampled(h, self.mask) for h in self.train]
            self.again = [sampled(h, self.mask) for h in self.again]
            self.count = sum(len(h) for h in (*self.train, *self.again))

    def everything(self) -> Ints:
        """Every sampled n-gram that was trained, as often as it was."""
        return np.concatenate([NONE, *self.train, *self.again])

    def evaluated(self, rows: Ints, pad: int | None, place: Place) -> None:
        """One evaluation batch."""
        n = self.n or ngram_length(rows.shape[1])
        self.n = n
        group = self.groups.setdefault(place, Group(place))
        found = np.unique(sampled(ngrams(rows, n, pad), self.mask))
        key = int(found.sum()) if len(found) else 0
        if len(group.batches) < BATCHES and key not in group.seen:
            group.seen.add(key)
            group.batches.append(found)

    def evidence(self, first: int, redrawn: bool) -> SplitOverlap | None:
        """Overlap of every place; the first pass over the data took ``first`` batches.

        ``redrawn``: rows come as if drawn with replacement.
        """
        if not self.train or not self.groups:
            return None
        everything = self.everything()
        known = np.unique(everything)
        groups = tuple(
            g for group in self.groups.values() if (g := self._judged(group, known)) is not None
        )
        return SplitOverlap(
            n=self.n,
            train_ngrams=len(everything),
            expected=expected_share(
                np.concatenate([*self.train[: max(first, 1)], *self.again[: max(first, 1)]])
            ),
            groups=groups,
            between=expected_share(np.concatenate(self.train)),
            redrawn=redrawn,
        )

    def _judged(self, group: Group, known: Ints) -> EvalGroup | None:
        shares: list[float] = []
        total = 0
        for batch in group.batches:
            mine = sampled(batch, self.mask)
            if len(mine):
                shares.append(float(np.isin(mine, known, assume_unique=True).mean()))
                total += len(mine)
        if not shares:
            return None
        says, file, line = group.place
        return EvalGroup(
            says,
            len(shares),
            total,
            float(np.mean(shares)),
            float(np.quantile(shares, 0.1)),
            file,
            line,
        )


def expected_share(hashes: NDArray[np.int64]) -> float:
    """Good and Turing: the share of a fresh sample that these hashes hold already."""
    if not len(hashes):
        return 1.0
    _, counts = np.unique(hashes, return_counts=True)
    return 1.0 - float((counts == 1).sum()) / len(hashes)
