"""Fingerprints and bags of tokens of the rows that were trained on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shindan.probes.rows.landing import Ints

FEATURES = 8
ROWS = 60_000
"""Rows remembered; what comes later is not looked at."""
KEPT_TOKENS = 500_000
"""Tokens of whole rows kept, to weigh what repeats."""
REDRAWN = (0.7, 1.4)
"""``scatter`` of rows drawn with replacement (five standard errors at 500 different rows)."""
MARGIN = 10.0
"""Nats by which a repeated row must be less likely than any coincidence (e^-10)."""
TURNS = 4
"""Turns of a loader's workers that can tell whether they read the same stream."""
LEAST_GROUP = 4
"""Rows per group in the analysis of variance: smaller batches are joined."""
_A, _B, _C, _D = (
    np.int64(x)
    for x in (0x1B873593CC9E2D51, 0x2545F4914F6CDD1D, 0x5851F42D4C957F2D, 0x369DEA0F31A53F85)
)

Floats = NDArray[np.float64]


def fingerprints(rows: Ints, pad: int | None) -> Ints:
    """(B,) order-sensitive hashes of rows (B, T), the same wherever the padding stands.

    The sum over the row of a non-linear hash of every three tokens in succession, and of every
    token; what holds padding counts nothing.
    """
    if rows.shape[1] < 3:
        rows = np.pad(rows, ((0, 0), (0, 3 - rows.shape[1])))
    mixed = rows[:, :-2] * _A + rows[:, 1:-1] * _B + rows[:, 2:] * _C
    mixed = (mixed ^ (mixed >> 29)) * _D
    mixed ^= mixed >> 32
    single = rows * _D
    single ^= single >> 31
    if pad is not None:
        real = rows != pad
        single = single * real
        mixed = mixed * (real[:, :-2] & real[:, 1:-1] & real[:, 2:])
    result: Ints = mixed.sum(1) + single.sum(1)
    return result


@dataclass(frozen=True)
class Variance:
    """Between batches against within them: see ``RowOrder``."""

    icc: float
    excess: float
    drift: float
    groups: int


class RowLog:
    """One entry per row, in order of training."""

    def __init__(self) -> None:
        self.hashes: list[Ints] = []
        self.features: list[Floats] = []
        self.lengths: list[Ints] = []
        self.epochs: list[int | None] = []
        self.rows = 0
        self.whole: list[Ints] = []
        self.known: set[int] = set()
        self.tokens = 0
        self.closed = False
        self.joins = [0, 0]
        self.joinable = [0, 0]
        self._signs: NDArray[np.int8] | None = None
        self._previous: tuple[Ints, Ints] | None = None
        self._usual: int | None = None

    @property
    def full(self) -> bool:
        """Nothing more is remembered."""
        return self.closed or self.rows >= ROWS

    def add(
        self, rows: Ints, ends: tuple[Ints, Ints] | None, pad: int | None, epoch: int | None
    ) -> NDArray[np.bool_]:
        """One batch of rows (B, T); tells which of them are new."""
        if self.full:
            return np.ones(len(rows), dtype=np.bool_)
        self.rows += len(rows)
        hashes = fingerprints(rows, pad)
        new = np.array([h not in self.known for h in hashes.tolist()])
        self.known.update(hashes.tolist())
        self.hashes.append(hashes)
        self.epochs.append(epoch)
        if self.tokens < KEPT_TOKENS and len(self.whole) == len(self.hashes) - 1:
            self.whole.append(rows.copy())
            self.tokens += rows.size
        real = np.ones_like(rows) if pad is None else (rows != pad).astype(np.int64)
        lengths = real.sum(1)
        self.lengths.append(lengths)
        stride = max(1, rows.shape[1] // 64)
        some, kept = rows[:, ::stride], real[:, ::stride]
        signs = self._projection(some)
        bags = (signs * kept[..., None]).sum(1) / np.maximum(kept.sum(1), 1)[:, None]
        self.features.append(bags.astype(np.float64))
        self._join(ends)
        return new

    def _projection(self, rows: Ints) -> NDArray[np.int8]:
        """(B, t, FEATURES) of +1 and -1: a fixed random sign per token and feature."""
        mixed = rows * _B
        mixed = (mixed ^ (mixed >> 31)) * _D
        bits = (mixed[..., None] >> np.arange(20, 20 + 4 * FEATURES, 4)) & 1
        return (2 * bits - 1).astype(np.int8)

    def _join(self, ends: tuple[Ints, Ints] | None) -> None:
        """Does a row begin with the token that the row before it was to predict last?"""
        if ends is None:
            self._previous = None
            return
        first, last = ends[0].copy(), ends[1].copy()
        if self._usual is None:
            values, counts = np.unique(first, return_counts=True)
            self._usual = int(values[counts.argmax()]) if counts.max() * 2 > len(first) else -1
        pairs = [(last[:-1], first[1:])]
        if self._previous is not None and len(self._previous[1]) == len(first):
            pairs.append((self._previous[1], first))
        elif self._previous is not None:
            pairs.append((self._previous[1][:0], first[:0]))
        for kind, (a, b) in enumerate(pairs):
            telling = b != self._usual
            self.joins[kind] += int(((a == b) & telling).sum())
            self.joinable[kind] += len(b)
        self._previous = (first, last)

    def stream(self) -> float:
        """Share of rows that go on where the row before, or the same row a batch before, ended."""
        return max((j / n if n else 0.0) for j, n in zip(self.joins, self.joinable, strict=True))

    # -- order ------------------------------------------------------------------------------

    def followed(self) -> tuple[int, float | None]:
        """(rows seen before, share of them across batches with the same successor as before).

        Only successions from the last row of a batch to the first of the next are judged, so
        that fixed batches in a new order are no repetition.
        """
        flat = np.concatenate(self.hashes)
        first_at: dict[int, int] = {}
        before = np.full(len(flat), -1)
        for i, h in enumerate(flat.tolist()):
            before[i] = first_at.setdefault(h, i)
        repeated = before < np.arange(len(flat))
        ends = np.cumsum([len(h) for h in self.hashes])[:-1]
        ends = ends[ends < len(flat)]
        both = ends[repeated[ends] & repeated[ends - 1]]
        if len(both) < 6:
            return int(repeated.sum()), None
        same = before[both] == before[both - 1] + 1
        return int(repeated.sum()), float(same.mean())

    def first_pass(self) -> tuple[Ints, bool]:
        """Hashes of the first pass over the data, and whether a DataLoader's epochs told it.

        Without a DataLoader the pass ends where hardly any new row appears any more (the last
        percent of first appearances).
        """
        if self.epochs and self.epochs[0] is not None:
            start = self.epochs[0]
            chosen = [h for h, e in zip(self.hashes, self.epochs, strict=True) if e == start]
            return np.concatenate(chosen), True
        flat = np.concatenate(self.hashes)
        _, firsts = np.unique(flat, return_index=True)
        last = int(np.quantile(firsts, 0.99)) + 1
        return flat[:last], False

    def redrawn(self) -> bool:
        """Do the counts of all rows scatter as draws with replacement from equal rows do?"""
        counts = np.unique(np.concatenate(self.hashes), return_counts=True)[1]
        return REDRAWN[0] < scatter(counts) < REDRAWN[1]

    def alike(self, workers: int) -> float | None:
        """Share of the workers' turns (one batch each) with the same batch from all of them."""
        turns = len(self.hashes) // workers if workers > 1 else 0
        if turns < TURNS:
            return None
        groups = (self.hashes[i * workers : (i + 1) * workers] for i in range(turns))
        return sum(all(np.array_equal(g[0], h) for h in g[1:]) for g in groups) / turns

    def first_batches(self) -> int:
        """How many batches the first pass took."""
        taken = np.cumsum([len(h) for h in self.hashes])
        return int(np.searchsorted(taken, len(self.first_pass()[0]))) + 1

    def weighed(
        self, information: Callable[[Ints], Floats], pad: int | None
    ) -> tuple[float, float]:
        """(share of the first pass's rows that repeat another beyond chance, nats per token)."""
        hashes = self.first_pass()[0]
        values, counts = np.unique(hashes, return_counts=True)
        again = set(values[counts > 1].tolist())
        repeats = weighty = 0
        nats = tokens = 0.0
        limit = 2.0 * np.log(len(hashes)) + MARGIN
        for h, rows in zip(self.hashes, self.whole, strict=False):
            worth = information(rows)
            if pad is not None:
                worth = worth * (rows[:, 1:] != pad)
            each = worth.sum(1)
            nats += float(each.sum())
            tokens += float(rows[:, 1:].size if pad is None else (rows[:, 1:] != pad).sum())
            for key, value in zip(h.tolist(), each.tolist(), strict=True):
                if key in again:
                    repeats += 1
                    weighty += int(value > limit)
        share = float(counts[counts > 1].sum()) / len(hashes)
        return share * (weighty / repeats if repeats else 0.0), nats / max(tokens, 1.0)

    # -- clustering ---------------------------------------------------------------------------

    def variance(self) -> Variance | None:
        """Pseudo-F of the bags of tokens between batches, lengths regressed out."""
        bags, lengths, group = self._grouped()
        if group is None:
            return None
        bags = _without_length(bags, lengths)
        count = int(group.max()) + 1
        sizes = np.bincount(group, minlength=count).astype(np.float64)
        means = np.stack(
            [np.bincount(group, bags[:, k], count) / sizes for k in range(bags.shape[1])], 1
        )
        spread = bags.var(0)
        bags, means = bags[:, spread > 1e-12], means[:, spread > 1e-12]
        if not bags.shape[1]:
            return None
        scale = bags.std(0)
        bags, means = (bags - bags.mean(0)) / scale, (means - bags.mean(0)) / scale
        within = float(((bags - means[group]) ** 2).sum())
        between = float((sizes[:, None] * means**2).sum())
        low, high = count - 1, len(bags) - count
        f = (between / low) / max(within / high, 1e-9)
        size = float(sizes.mean())
        error = (2.0 / (low * bags.shape[1]) + 2.0 / (high * bags.shape[1])) ** 0.5
        drift = float((means[1:] * means[:-1]).sum() / max(float((means**2).sum()), 1e-9))
        return Variance((f - 1) / (f - 1 + size), (f - 1) / error, drift, count)

    def _grouped(self) -> tuple[Floats, Floats, Ints | None]:
        """Rows of the first pass, in groups of at least LEAST_GROUP rows in order."""
        taken = 0
        sizes: list[int] = []
        limit = len(self.first_pass()[0])
        for h in self.hashes:
            taken += len(h)
            if taken > limit:
                break
            if sizes and sizes[-1] < LEAST_GROUP:
                sizes[-1] += len(h)
            else:
                sizes.append(len(h))
        n = sum(sizes)
        bags = np.concatenate(self.features)[:n]
        lengths = np.concatenate(self.lengths)[:n].astype(np.float64)
        if len(sizes) < 8 or n <= 2 * len(sizes):
            return bags, lengths, None
        return bags, lengths, np.repeat(np.arange(len(sizes)), sizes)


def _without_length(bags: Floats, lengths: Floats) -> Floats:
    """Residuals of the bags on the row's length, its inverse and a constant."""
    lengths = np.maximum(lengths, 1.0)
    design = np.stack([np.ones_like(lengths), lengths / lengths.max(), 1.0 / lengths], 1)
    if lengths.min() == lengths.max():
        design = design[:, :1]
    fitted = design @ np.linalg.lstsq(design, bags, rcond=None)[0]
    result: Floats = bags - fitted
    return result


def scatter(counts: Ints) -> float:
    """Variance of how often rows came, over that of zero-truncated Poisson counts of this mean.

    Draws with replacement from equally likely rows give about 1.
    """
    mean = float(counts.mean())
    if mean <= 1.0:
        return 0.0
    rate = mean
    for _ in range(60):
        rate = mean * -math.expm1(-rate)
    return float(counts.var()) / max(mean * (1.0 + rate - mean), 1e-9)
