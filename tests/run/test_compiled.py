"""A loss inside a compiled region is heard: learnt in one replay, then told at every call."""

from pathlib import Path

import pytest

from shindan.core.check import Edit
from tests.run.patients import PATIENTS, examined

COMPILED = {
    "gpt_plain": ("model = GPT()\n", 'model = torch.compile(GPT(), backend="eager")\n'),
    "sft_padded": (
        "    model = TinyCausalLM()\n",
        '    model = TinyCausalLM()\n    model.compile(backend="eager")\n',
    ),
}
FAULTS = {
    "data/labels-not-shifted": Edit(
        "gpt_plain",
        "torch.from_numpy(rows[:, 1:])",
        "torch.from_numpy(rows[:, :-1])",
    ),
    "optimizer/accumulation-normalisation": Edit(
        "gpt_plain", "loss = loss / gradient_accumulation_steps", "loss = loss * 1.0"
    ),
    "model/softmax-before-cross-entropy": Edit(
        "gpt_plain", "F.cross_entropy(logits.view(", "F.cross_entropy(logits.softmax(-1).view("
    ),
    "data/labels-shifted-twice": Edit(
        "sft_padded",
        "[IGNORE_INDEX] * len(prompt) + response\n",
        "([IGNORE_INDEX] * len(prompt) + response)[1:] + [IGNORE_INDEX]\n",
    ),
}


def compiled(script: str) -> str:
    text = (PATIENTS / f"{script}.py").read_text(encoding="utf-8")
    old, new = COMPILED[script]
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize("script", COMPILED)
def test_healthy_is_silent_and_its_labels_were_read(script: str, tmp_path: Path) -> None:
    document = examined(compiled(script), script, tmp_path)
    assert document.failed == ()
    assert document.findings == ()
    assert document.verdict == "healthy"
    assert "data/labels-not-shifted" not in {n.id for n in document.not_run}


@pytest.mark.parametrize("id", FAULTS)
def test_fault_is_found(id: str, tmp_path: Path) -> None:
    edit = FAULTS[id]
    text = compiled(edit.script)
    assert text.count(edit.old) == 1
    document = examined(text.replace(edit.old, edit.new), edit.script, tmp_path)
    assert document.failed == ()
    assert document.findings[0].id == id
