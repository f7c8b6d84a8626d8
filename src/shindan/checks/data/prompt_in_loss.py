"""The prompt counts in the loss."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import PromptCensus
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure, Severity

ENOUGH = 100
"""Labels of prompts that count."""
EVIDENT = ("labels", "mask", "length", "setting", "rows")


@check(
    id="data/prompt-in-loss",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("neulab/prompt2model#167", "MervinPraison/PraisonAI#4358", "unslothai/unsloth#1409"),
    fault=(
        Edit(
            script="sft_padded",
            old="shift_labels = labels[:, 1:]",
            new="shift_labels = input_ids.masked_fill(~attention_mask.bool(), IGNORE_INDEX)[:, 1:]",
        ),
        Edit(
            script="sft_padded",
            old="labels = [IGNORE_INDEX] * len(prompt) + response",
            new="labels = list(input_ids)",
        ),
    ),
)
def CHECK(prompts: PromptCensus) -> Iterator[Finding]:
    """Prompts count although something shows that they should not.

    Training on inputs is a choice: it is major only where the batch, a setting or other rows say
    that the prompt was to be left out, and minor where rows merely look like prompt and answer in
    a script that speaks of both (info, where it says that it trains on all of them).
    """
    if prompts.meant == "none":
        return
    if prompts.prompt_counted < ENOUGH and prompts.meant != "setting":
        return
    measured: dict[str, Measure] = {
        "prompt": prompts.prompt_counted,
        "share": prompts.prompt_counted / max(1, prompts.counted),
        "counted": prompts.counted,
        "name": prompts.name,
        "marker": -1 if prompts.marker is None else prompts.marker,
    }
    severity: Severity = "major" if prompts.meant in EVIDENT else "minor"
    if prompts.deliberate:
        severity = "info"
    variant = {"setting": "setting", "rows": "rows", "words": "words"}.get(prompts.meant, "")
    yield Finding(measured=measured, where=prompts.where, severity=severity, variant=variant)


SICK = (
    Example(
        evidence=(PromptCensus(512, 12500, 3300, "labels", "labels"),),
        finds=({"prompt": 3300, "name": "labels"},),
    ),
    Example(evidence=(PromptCensus(512, 12500, 3300, "words", "", 2),), finds=({"marker": 2},)),
    Example(
        evidence=(PromptCensus(512, 12500, 0, "setting", "train_on_inputs"),),
        finds=({"name": "train_on_inputs"},),
    ),
    Example(
        evidence=(PromptCensus(512, 9000, 900, "rows", "64/512", 2),),
        finds=({"name": "64/512"},),
    ),
)
HEALTHY = (
    Example(evidence=(PromptCensus(512, 9574, 0, "none"),)),
    # continued pre-training
    Example(evidence=(PromptCensus(512, 12500, 0, "none"),)),
)
