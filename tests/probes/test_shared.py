"""Training and evaluation rows against one source: where they stand in it, not what they say."""

import numpy as np
import pytest

from shindan.checks.data.train_val_leakage import CHECK
from shindan.core.evidence.ids import SharedSource
from shindan.core.evidence.rows import EvalGroup, SplitOverlap
from shindan.probes.rows.holders import Holder
from shindan.probes.rows.landing import Ints
from shindan.probes.rows.overlap import Overlap
from shindan.probes.rows.searching import search, windows
from shindan.probes.rows.shared import shared

WIDTH = 64
_NO_OVERLAP = SplitOverlap(16, 9000, 0.05, (EvalGroup("val", 10, 4000, 0.08, 0.0),))


def _rows(data: Ints, starts: Ints) -> Ints:
    return np.stack([data[i : i + WIDTH] for i in starts])


def _shared(train_to: int, val_from: int) -> SharedSource:
    """A short run over one array: training reads up to ``train_to``, evaluation from there on."""
    random = np.random.default_rng(0)
    data = random.integers(0, 60, 100_000)
    census = Overlap()
    for _ in range(20):
        trained = _rows(data, random.integers(0, train_to - WIDTH, 8))
        census.trained(trained, None, None)
    for _ in range(10):
        held_out = _rows(data, random.integers(val_from, len(data) - WIDTH, 8))
        census.evaluated(held_out, None, ("val", "train.py", 9))
    holder = Holder("data", "array", "int64", 1 << 62, data, True)
    pieces = windows(trained, None), windows(held_out, None)
    matches = [[m] for p in pieces if (m := search(holder, p, 60, 59)) is not None]
    found = shared(matches[0], matches[1], (len(pieces[0]), len(pieces[1])), census.n)
    assert found is not None
    return found.evidence(census, 1)


@pytest.mark.parametrize(("val_from", "sick"), [(90_000, False), (0, True), (40_000, True)])
def test_places_convict(val_from: int, sick: bool) -> None:
    evidence = _shared(90_000, val_from)
    assert evidence.groups[0].inside == 1.0
    assert (evidence.groups[0].hits > 0) is sick
    found = [f.variant for f in CHECK(_NO_OVERLAP, evidence)]
    assert found == (["places"] if sick else [])
