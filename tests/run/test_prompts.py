"""Training on prompts is told as meant where the script says so."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import examined, source

ID = "data/prompt-in-loss"
OLD = "labels = [IGNORE_INDEX] * len(prompt) + response"
NEW = "labels = list(input_ids)"


@pytest.mark.parametrize(
    ("said", "severities"),
    [
        ("", ["minor"]),
        ("# the loss covers the whole sequence\n", ["info"]),
        ("class Options:\n    train_on_inputs = True\n\n\n", []),
    ],
)
def test_what_is_said_of_it(said: str, severities: list[str], tmp_path: Path) -> None:
    text = source(Edit("sft_padded", OLD, NEW))
    text = text.replace("def encode(example):", said + "def encode(example):")
    document = examined(text, "sft_padded", tmp_path)
    assert [f.severity for f in document.findings if f.id == ID] == severities
