"""Running counts of targets, pairs and triples, and the entropies they give."""

import math

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.curve import DataLines
from shindan.core.evidence.ids import IdUse
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.reading import Reading

BUCKETS = 1 << 20
"""Counters of pairs and of triples; above that many combinations they are hashed."""
PER_CALL = 16_384
"""Tokens of one call above which only every so-many-th call is counted."""
HASHED_TOKENS = 1024
"""Tokens of one call whose pairs and triples are counted in hashed counters."""
TRUSTED = 0.25
"""Most different outcomes per observation at which an entropy is told: the Miller-Madow
correction (K - 1) / 2N, and with it its error, is then below an eighth of a nat."""
CLASSES = 1_000_000
_ODD = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)


class TokenCounts:
    """Counts over the targets of the training loss, and of evaluation targets."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.targets = np.zeros(classes, dtype=np.int64)
        self.evaluated = np.zeros(classes, dtype=np.int64)
        self.given = np.zeros(classes, dtype=np.int64)
        self.pairs = np.zeros(min(classes**2, BUCKETS), dtype=np.int32)
        self.triples = np.zeros(min(classes**3, BUCKETS), dtype=np.int32)
        self.calls = 0
        self.agreed = 0.0
        self.checked = 0

    def add(self, reading: Reading, pad: int | None, new: NDArray[np.bool_] | None) -> None:
        """Count one loss call; pairs and triples only of ``new`` rows (repeats tell nothing)."""
        if len(reading.target) > PER_CALL:
            every = math.ceil(len(reading.target) / PER_CALL)
            self.calls += 1
            if self.calls % every != 1:
                return
        if not reading.train:
            if reading.place[0] == "val":
                self._count(self.evaluated, reading.target)
            return
        self._count(self.targets, reading.target)
        if self.checked < 64:
            self.checked += 1
            self.agreed += reading.agreement(1 if reading.batch_first else 0)
        if self.next_token:
            self._context(reading, new)
        else:
            self._neighbours(reading.rows if new is None else reading.rows[new], pad)

    @property
    def next_token(self) -> bool:
        """Are the targets the inputs one later?"""
        return self.checked > 0 and self.agreed / self.checked > 0.9

    def _count(self, into: NDArray[np.int64], target: Ints) -> None:
        _count_into(into, target[(target >= 0) & (target < self.classes)])

    def _context(self, reading: Reading, new: NDArray[np.bool_] | None) -> None:
        pair = reading.aligned
        if pair is None:
            return
        x, y = pair if reading.batch_first else (pair[0].T, pair[1].T)
        if new is not None:
            x, y = x[new], y[new]
        x, y = x[:: self._stride(x)], y[:: self._stride(x)]
        x = x.clip(0, self.classes - 1)
        counted = (y >= 0) & (y < self.classes)
        self._pairs(x, y, counted)
        three = self._slot(self.triples, x[:, :-1], x[:, 1:], y[:, 1:])
        np.add.at(self.triples, three[counted[:, 1:]], 1)

    def _stride(self, rows: Ints) -> int:
        """Every which row is counted: all, or few where counters are too many for the cache."""
        few = max(1, HASHED_TOKENS // rows.shape[1])
        return 1 if len(self.triples) < BUCKETS else max(1, len(rows) // few)

    def _neighbours(self, rows: Ints, pad: int | None) -> None:
        """Pairs of neighbours in rows (B, T) of a masked objective: for ``information`` only."""
        rows = rows[:: self._stride(rows)]
        x, y = rows[:, :-1], rows[:, 1:]
        fit = (rows >= 0) & (rows < self.classes) & (rows != (-1 if pad is None else pad))
        self._pairs(x.clip(0, self.classes - 1), y, fit[:, :-1] & fit[:, 1:])

    def _pairs(self, x: Ints, y: Ints, counted: NDArray[np.bool_]) -> None:
        x, y = x[counted], y[counted]
        np.add.at(self.pairs, self._slot(self.pairs, x, y), 1)
        _count_into(self.given, x)

    def _slot(self, counts: NDArray[np.int32], *ids: Ints) -> Ints:
        if len(counts) < BUCKETS:
            slot = ids[0]
            for i in ids[1:]:
                slot = slot * self.classes + i
            return slot
        mixed = ids[0] * _ODD[0]
        for i, odd in zip(ids[1:], _ODD[1:], strict=False):
            mixed = (mixed ^ (mixed >> 15)) * _ODD[0] + i * odd
        return (mixed ^ (mixed >> 17)) & (BUCKETS - 1)

    def information(self, rows: Ints) -> NDArray[np.float64]:
        """(B, T - 1) nats of each token given the one before it, add-one over what was seen."""
        x, y = rows[:, :-1].clip(0, self.classes - 1), rows[:, 1:].clip(0, self.classes - 1)
        joint = self.pairs[self._slot(self.pairs, x, y)].astype(np.float64)
        here = self.given[x].astype(np.float64)
        result: NDArray[np.float64] = np.log((here + 1.0) / (joint + 1.0)).clip(min=0.0)
        return result

    def lines(self) -> DataLines | None:
        """The entropies in nats, Miller-Madow corrected; None when nothing was counted."""
        total = int(self.targets.sum())
        if not total:
            return None
        used = int((self.targets > 0).sum())
        bigram = _conditional(self.pairs, self.given) if self.next_token else None
        trigram = _conditional(self.triples, self.pairs) if self.next_token else None
        return DataLines(
            classes=self.classes,
            uniform=math.log(self.classes),
            uniform_used=math.log(used),
            unigram=min(entropy(self.targets), math.log(self.classes)),
            bigram=bigram,
            tokens=total,
            trigram=trigram,
        )

    def use(self) -> IdUse | None:
        """Ids trained and ids evaluated."""
        total = int(self.targets.sum())
        evaluated = int(self.evaluated.sum())
        if not total:
            return None
        unseen = int(self.evaluated[self.targets == 0].sum())
        return IdUse(
            classes=self.classes,
            used=int((self.targets > 0).sum()),
            tokens=total,
            highest=int(np.flatnonzero(self.targets)[-1]),
            eval_tokens=evaluated,
            unseen=unseen / evaluated if evaluated else 0.0,
            expected=float((self.targets == 1).sum()) / total,
        )


def _count_into(counts: NDArray[np.int64], ids: Ints) -> None:
    if len(ids) * 8 < len(counts):
        np.add.at(counts, ids, 1)
    else:
        counts += np.bincount(ids, minlength=len(counts))


def entropy(counts: NDArray[np.int64] | NDArray[np.int32]) -> float:
    """Entropy of the counts with the Miller-Madow correction."""
    some = counts[counts > 0].astype(np.float64)
    total = some.sum()
    p = some / total
    return float(-(p * np.log(p)).sum() + (len(some) - 1) / (2 * total))


def _conditional(
    joint: NDArray[np.int32], given: NDArray[np.int64] | NDArray[np.int32]
) -> float | None:
    """H(joint) - H(given); None when too few were counted for their variety."""
    total = int(joint.sum())
    if not total or (joint > 0).sum() > TRUSTED * total or (joint > 0).sum() > BUCKETS // 4:
        return None
    return max(entropy(joint) - entropy(given), 0.0)
