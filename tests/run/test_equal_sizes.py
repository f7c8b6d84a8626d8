"""T may be as large as another axis: shapes then tell no more which one was moved."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import examined, source

WIDTH = "n_layer, n_head, n_embd, block_size, dropout = 2, 4, 64, 32, 0.0"
MERGE = "y = y.transpose(1, 2).contiguous().view(B, T, C)"
SPLIT = "q = q.view(B, T, n_head, C // n_head).transpose(1, 2)  # (B, h, T, d)"
WRONG_MERGE = "y = y.contiguous().view(B, T, C)"
WRONG_SPLIT = "q = q.reshape(B, n_head, T, C // n_head)"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (MERGE, MERGE, []),
        (MERGE, WRONG_MERGE, ["model/heads-scrambled"]),
        (SPLIT, WRONG_SPLIT, ["model/heads-scrambled"]),
    ],
    ids=["healthy", "merge", "split"],
)
def test_as_wide_as_long(right: str, wrong: str, told: list[str], tmp_path: Path) -> None:
    """The rows are cut to another length, and the shapes read again."""
    text = source(Edit("gpt_plain", WIDTH, WIDTH.replace("64", "32")))
    assert text.count(right) == 1
    found = examined(text.replace(right, wrong), "gpt_plain", tmp_path).findings
    assert [f.id for f in found if f.severity == "critical"] == told
