"""A weighted mixture of row sources whose sample ``i`` is a pure function of (seed, i).

The source of each sample follows Tijdeman's answer to the "chairman assignment problem" (Discrete
Mathematics 32, 1980): after any number of samples, every source has given its share to within one
row. Drawing the largest deficit first, the obvious rule, does not promise that for more than two
sources. Weights are taken as the decimals they are written as, so that the schedule repeats after a
whole number of samples and never drifts.
"""

import math
from array import array
from collections.abc import Mapping
from fractions import Fraction
from typing import Generic, TypeVar

from shindan.reference.data.order import Rows, Shuffled

Row = TypeVar("Row")


class Mixture(Generic[Row]):
    """Samples without end from named sources, ``weights`` being shares of *rows*.

    Rows of equal length make them shares of tokens. Each source is shuffled anew whenever it has
    been gone through, in an order of its own.
    """

    def __init__(
        self, sources: Mapping[str, Rows[Row]], weights: Mapping[str, float], seed: int
    ) -> None:
        if not sources or set(sources) != set(weights):
            raise ValueError(f"sources {sorted(sources)} and weights {sorted(weights)} differ")
        if min(weights.values()) <= 0:
            raise ValueError("every weight of a mixture is above 0")
        self.names = tuple(sources)
        self.sources = tuple(
            Shuffled(rows, seed * 1_000_003 + n) for n, rows in enumerate(sources.values())
        )
        exact = [Fraction(str(weights[name])) for name in self.names]
        shares = [weight / sum(exact) for weight in exact]
        self.period = math.lcm(*(share.denominator for share in shares))
        self.quotas = [int(share * self.period) for share in shares]
        """Rows of each source in one period."""
        self._given = [0] * len(self.quotas)
        self._source, self._rank = array("H"), array("Q")  # of the samples of the first period

    def __len__(self) -> int:
        """Rows of all sources together; indices beyond go on."""
        return sum(len(source) for source in self.sources)

    def __getitem__(self, index: int) -> Row:
        source, row = self.place(index)
        return self.sources[source][row]

    def place(self, index: int) -> tuple[int, int]:
        """(number of the source, how many rows it gave before) of sample ``index``."""
        periods, within = divmod(index, self.period)
        self._plan(within + 1)
        source = self._source[within]
        return source, periods * self.quotas[source] + self._rank[within]

    def counts(self, samples: int) -> dict[str, int]:
        """How many of the first ``samples`` each source gave."""
        periods, within = divmod(samples, self.period)
        self._plan(within)
        given = [periods * quota for quota in self.quotas]
        for source in self._source[:within]:
            given[source] += 1
        return dict(zip(self.names, given, strict=True))

    def _plan(self, samples: int) -> None:
        """Extend the schedule to so many samples. Everything is in integers: units of 1/period.

        At time t, a source may give when its deficit share·t - given exceeds 1/(2n - 2) (else it
        would get too far ahead); of those, the one that would first fall a row behind gives.
        """
        slack = max(1, 2 * len(self.quotas) - 2)
        for t in range(len(self._source) + 1, samples + 1):
            chosen, soonest = -1, math.inf
            for source, quota in enumerate(self.quotas):
                ahead = slack * (quota * t - self.period * self._given[source])
                if len(self.quotas) > 1 and ahead < self.period:
                    continue
                deadline = ((slack - 1) * self.period - ahead) / quota
                if deadline < soonest:
                    chosen, soonest = source, deadline
            self._source.append(chosen)
            self._rank.append(self._given[chosen])
            self._given[chosen] += 1
