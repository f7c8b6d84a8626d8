"""Large tables in pieces: columns grow, types may change from piece to piece."""

import math
from pathlib import Path

import numpy as np
import pytest

from shindan.logs.growing import Growing
from shindan.logs.readers import csv
from shindan.logs.reading import read


@pytest.mark.parametrize("expected", [0, 3, 100])
def test_blocks_one_under_the_other(expected: int) -> None:
    column = Growing(expected)
    column.put(0, np.array([1.0, 2.0]), None)
    column.put(3, np.array([4, 5]), None)
    column.put(5, np.array([6.0, math.nan]), np.array([True, False]))
    values, present = column.whole(9)
    assert np.array_equal(values, [1, 2, math.nan, 4, 5, 6, *[math.nan] * 3], equal_nan=True)
    assert present.tolist() == [True, True, False, True, True, True, False, False, False]


def test_what_was_put_first_stays() -> None:
    column = Growing()
    column.put(0, np.array([1.0, math.nan]), np.array([True, False]))
    column.put(0, np.array([7.0, 8.0, 9.0]), None)
    values, present = column.whole(3)
    assert values.tolist() == [1, 8, 9]
    assert present.all()


def test_pieces_of_a_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, then fractions, words, the header again, damaged rows: each costs its piece."""
    monkeypatch.setattr(csv, "_PIECE", 64)
    rows = [f"{i},{9 - i / 50:g},{i}" for i in range(400)]
    rows[150] = "150,n.d.,150"
    rows[200:200] = ["step,loss,count"]
    rows[300:300] = ["1,2,3,4,first", "1,2,3,4,second"]
    path = tmp_path / "metrics.csv"
    path.write_text("# made by hand\n" + "\n".join(["step,loss,count", *rows]) + "\n")
    (found,) = read(path)
    assert found.columns["step"].tolist() == list(range(400))
    assert found.present["loss"].sum() == 399
    assert found.words["loss"][150] == "n.d."
    assert found.columns["loss"][399] == pytest.approx(9 - 399 / 50)
    said = {reason.key: reason.values for reason in found.lost}
    assert said["log-header-again"] == {"count": 1}
    assert said["log-rows-damaged"] == {"count": 2, "text": "1,2,3,4,first"}
