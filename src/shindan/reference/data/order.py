"""Chance as a pure function of numbers: nothing to save, so that resuming is one integer."""

import hashlib
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Row_co = TypeVar("Row_co", covariant=True)


class Rows(Protocol[Row_co]):
    """Where rows come from: a length, and a row for every index below it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Row_co: ...


def generator(*numbers: int) -> torch.Generator:
    """A CPU generator that depends on these numbers alone, such as (seed, step).

    They are hashed first: torch's Mersenne twister starts from 32 bits, and from neighbouring
    seeds nearly alike.
    """
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


@lru_cache(maxsize=16)
def order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of ``count`` rows in an epoch, shape (count,), read-only; the last few are kept."""
    permutation: NDArray[np.int64] = torch.randperm(count, generator=generator(seed, epoch)).numpy()
    permutation.flags.writeable = False
    return permutation


class Shuffled(Generic[Row_co]):
    """The rows in a new order each epoch, for ever: index ``i`` is in epoch ``i // len(rows)``.

    Its length is that of one epoch.
    """

    def __init__(self, rows: Rows[Row_co], seed: int) -> None:
        self.rows, self.seed = rows, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row_co:
        return self.rows[int(self.places(index, 1)[0])]

    def places(self, first: int, count: int) -> NDArray[np.int64]:
        """Where in ``rows`` the indices from ``first`` on are, shape (count,)."""
        epochs, places = np.divmod(np.arange(first, first + count), len(self.rows))
        found = [
            order(len(self.rows), self.seed, int(epoch))[places[epochs == epoch]]
            for epoch in np.unique(epochs)
        ]
        return np.concatenate(found)
