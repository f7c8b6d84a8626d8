"""Padding that is attended: a fault where a mask was meant, a remark where none is anywhere."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import examined, source

ID = "model/attention-mask-ignored"
DROPPED = Edit("logkeys", "block(x, src_key_padding_mask=padding)", "block(x)")
MADE = "        padding = inputs == PAD\n"
DRAWN = "            mask_loss = self.criterion(log_probs.transpose(1, 2), labels)\n"
HELD = "            attention_mask = (inputs != PAD).long()\n"


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        # the model makes a mask and uses it nowhere
        ([], "major"),
        # no mask is made at all
        ([(MADE, "")], "minor"),
        # none is made, but the loop holds one
        ([(MADE, ""), (DRAWN, HELD + DRAWN)], "major"),
        # one is made, for something else
        ([(MADE, MADE + "        self.total = inputs.masked_fill(padding, 1).sum()\n")], "minor"),
    ],
)
def test_what_shows_that_a_mask_was_meant(
    more: list[tuple[str, str]], severity: str, tmp_path: Path
) -> None:
    text = source(DROPPED)
    for old, new in more:
        assert text.count(old) == 1
        text = text.replace(old, new)
    document = examined(text, "logkeys", tmp_path)
    assert [f.severity for f in document.findings if f.id == ID] == [severity]
    assert document.failed == ()
