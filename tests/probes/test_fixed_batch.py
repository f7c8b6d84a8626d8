"""The table of predictions shows the batch, not one column of it."""

import pytest
import torch

from shindan.probes.fixed_batch import SHOWN, _spread, _table


def test_places_are_spread_over_rows_and_positions() -> None:
    counted = torch.ones(24, 32, dtype=torch.bool)
    labels = torch.zeros(24, 32, dtype=torch.long)
    shown = list(_table(torch.randn(24, 32, 9), labels, counted))
    assert len(shown) == SHOWN
    assert len({p.row for p in shown}) == SHOWN
    assert len({p.position for p in shown}) > SHOWN // 2


@pytest.mark.parametrize("n", [1, 5, 12, 13, 1000])
def test_each_place_is_shown_once(n: int) -> None:
    spread = _spread(n)
    assert spread == sorted(set(spread))
    assert min(SHOWN, n) * 2 // 3 <= len(spread) <= SHOWN
    assert 0 <= spread[0] <= spread[-1] < n
