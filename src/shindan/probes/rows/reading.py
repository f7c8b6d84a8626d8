"""A language loss on the host: its input ids, its targets, and the rows they stand for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from torch import Tensor

from shindan.probes.capture import IGNORE
from shindan.probes.events import ForwardCall, LossCall
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.places import Place
from shindan.probes.trees import leaves

NOTHING: Ints = np.empty((0, 0), dtype=np.int64)
NOT_IDS = re.compile(r"mask|label|target|type|segment|pos", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """The DataLoader a batch was drawn from: ``loader`` is a number, ``epoch`` counts from 0."""

    loader: int
    epoch: int
    index: int


@dataclass(eq=False)
class Reading:
    """One loss call, complete when its arrays have landed and ``train`` is settled.

    ``ids`` (R, C) in the script's layout; ``target`` flat, IGNORE where none counts; ``mode`` the
    root's training flag; ``module`` a number for the root; ``place`` where an evaluation was
    made (places.py).
    """

    classes: int
    train: bool | None
    mode: bool
    module: int
    origin: Origin | None
    place: Place
    ids: Ints = field(default_factory=lambda: NOTHING)
    target: Ints = field(default_factory=lambda: NOTHING)
    batch_first: bool = True

    @cached_property
    def aligned(self) -> tuple[Ints, Ints] | None:
        """(inputs, targets), both (R, C') in the script's layout, a target at its input's place.

        None when the shapes do not tell.
        """
        r, c = self.ids.shape
        n = len(self.target)
        if n == r * c:
            return self.ids, self.target.reshape(r, c)
        if n == r * (c - 1):
            return self.ids[:, :-1], self.target.reshape(r, c - 1)
        if n == (r - 1) * c:
            return self.ids[:-1], self.target.reshape(r - 1, c)
        return None

    def agreement(self, axis: int) -> float:
        """Share of counted targets equal to the next input token along ``axis``."""
        pair = self.aligned
        if pair is None:
            return 0.0
        ids, target = pair if axis == 1 else (pair[0].T, pair[1].T)
        following, here = ids[:, 1:], target[:, : ids.shape[1] - 1]
        counted = here != IGNORE
        total = int(counted.sum())
        return float(((here == following) & counted).sum()) / total if total else 0.0

    @cached_property
    def rows(self) -> Ints:
        """(B, T) rows of the data as they were before any masking.

        Where a target counts it is the truth (a masked model's labels; the next token of a
        causal one), elsewhere the input id stands.
        """
        pair = self.aligned
        if pair is None:
            rows = self.ids
        else:
            ids, target = pair
            rows = np.where(target == IGNORE, ids, target)
        return rows if self.batch_first else rows.T

    @cached_property
    def ends(self) -> tuple[Ints, Ints] | None:
        """The first input id and the last target of each row."""
        pair = self.aligned
        if pair is None:
            return None
        ids, target = pair if self.batch_first else (pair[0].T, pair[1].T)
        return ids[:, 0], target[:, -1]


def input_ids(call: ForwardCall | None, targets: int) -> Tensor | None:
    """The integer (R, C) argument of a root call that most likely holds token ids."""
    if call is None:
        return None
    found = list(_candidates(call))
    for t in found:
        if targets in (t.numel(), t.numel() - t.shape[0], t.numel() - t.shape[1]):
            return t
    return found[0] if found else None


def _candidates(call: ForwardCall) -> Iterator[Tensor]:
    for name, t in leaves({"args": call.args, "kwargs": call.kwargs}):
        whole = not t.is_floating_point() and not t.is_complex() and t.element_size() > 1
        if t.ndim == 2 and t.numel() > 1 and whole and not NOT_IDS.search(name):
            yield t


def targets_of(call: LossCall) -> Tensor:
    """Flat targets, IGNORE where the loss does not count them."""
    target = call.target.reshape(-1)
    ignore = call.params.get("ignore_index", IGNORE)
    return target if ignore == IGNORE else target.masked_fill(target == ignore, IGNORE)
