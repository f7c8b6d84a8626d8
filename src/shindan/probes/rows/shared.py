"""Do training and evaluation read the same places of one source?"""

from dataclasses import dataclass

import numpy as np

from shindan.core.evidence.ids import SharedGroup, SharedSource
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.overlap import NONE, Group, Overlap, expected_share, ngrams, sampled
from shindan.probes.rows.searching import Match

KEPT = 200_000
"""Hashes kept of a source."""
NEARLY_ALL = 0.9
"""Share of the pieces of training and of evaluation that must stand in it."""


@dataclass(eq=False)
class Shared:
    """Sampled n-grams of a source: ``every`` sorted, ``single`` those that stand in it once."""

    name: str
    size: int
    n: int
    repeats: float
    every: Ints
    single: Ints
    mask: int

    def evidence(self, census: Overlap, models: int) -> SharedSource:
        """Training and every evaluation so far against the source."""
        mask = self.mask | census.mask
        single = sampled(self.single, mask)
        trained = np.intersect1d(sampled(census.everything(), mask), single)
        groups = (self._group(g, mask, single, trained) for g in census.groups.values())
        return SharedSource(
            source=self.name,
            size=self.size,
            n=self.n,
            repeats=self.repeats,
            trained=len(trained) / max(len(single), 1),
            models=models,
            groups=tuple(groups),
        )

    def _group(self, group: Group, mask: int, single: Ints, trained: Ints) -> SharedGroup:
        batches = [sampled(b, mask) for b in group.batches]
        mine = np.concatenate([NONE, *batches])
        hits = [int(np.isin(b, trained).sum()) for b in batches]
        says, file, line = group.place
        return SharedGroup(
            says=says,
            batches=len(batches),
            ngrams=len(mine),
            inside=float(np.isin(mine, self.every).mean()) if len(mine) else 0.0,
            single=int(np.isin(mine, single).sum()),
            hits=sum(hits),
            hit_batches=sum(h > 0 for h in hits),
            file=file,
            line=line,
        )


def shared(
    train: list[Match], held_out: list[Match], pieces: tuple[int, int], n: int
) -> Shared | None:
    """The source in which most of both kinds of ``pieces`` stand as they are, else the smallest."""
    theirs = {id(m.holder): m.source.rows for m in held_out if _holds(m, pieces[1])}
    both = [m for m in train if id(m.holder) in theirs and _holds(m, pieces[0])]
    if not both:
        return None
    match = min(both, key=lambda m: (-theirs[id(m.holder)] - m.source.rows, m.source.size))
    every = ngrams(match.flat.astype(np.int64)[None], n, None)
    mask = 0
    while len(every) > KEPT:
        mask = mask * 2 + 1
        every = sampled(every, mask)
    repeats = expected_share(every)
    values, counts = np.unique(every, return_counts=True)
    return Shared(
        match.holder.name, match.source.size, n, repeats, values, values[counts == 1], mask
    )


def _holds(match: Match, pieces: int) -> bool:
    return not match.source.modulus and match.source.rows >= NEARLY_ALL * pieces
