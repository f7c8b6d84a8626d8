"""Several losses over labels make the loss: which weights are meant is for the author to say."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import examined, source

LINE = "        loss = loss / gradient_accumulation_steps\n"
LAST = "        last = F.cross_entropy(logits[:, -1], Y[:, -1])\n"


@pytest.mark.parametrize(
    "total",
    [
        "(last + 0.25 * loss) / gradient_accumulation_steps",
        "(2 * last + loss) / gradient_accumulation_steps",
        "0.5 * (2 * last + 0.4 * loss)",
    ],
)
def test_divided(total: str, tmp_path: Path) -> None:
    """A term of weight one after the division is no proof that none was made."""
    text = source(Edit("gpt_plain", LINE, LAST + f"        loss = {total}\n"))
    found = examined(text, "gpt_plain", tmp_path).findings
    assert [f.id for f in found if f.severity != "info"] == []
