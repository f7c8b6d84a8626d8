"""Rows begin with the same special token twice."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import RowStarts
from shindan.core.example import Example
from shindan.core.finding import Finding

ALL = 0.95
"""Rows with the same number of them: left padding gives every row its own."""
FORMAT = 4
"""More of a kind in front are a format of the author's own (prompt slots)."""


@check(
    id="data/double-special-tokens",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("unsloth#2648", "mlx-examples#1095", "google/tunix#822", "open-r1#462"),
    fault=(
        Edit(
            script="sft_padded",
            old='    prompt = [BOS_ID] + example["prompt"] + [SEP_ID]\n',
            new='    prompt = [BOS_ID, BOS_ID] + example["prompt"] + [SEP_ID]\n',
        ),
        Edit(
            script="left_padded",
            old="rows = [[self.bos_token_id, *doc, self.eos_token_id] for doc in documents]",
            new="rows = [[1, 1, *doc, self.eos_token_id] for doc in documents]",
        ),
    ),
)
def CHECK(starts: RowStarts) -> Iterator[Finding]:
    """What the run itself calls the beginning stands there two or three times, and only there."""
    constant = starts.same >= ALL * starts.rows and starts.elsewhere <= (1 - ALL) * starts.rows
    if starts.name and 2 <= starts.run < FORMAT and constant:
        yield Finding(
            {"name": starts.name, "id": starts.id, "times": starts.run, "rows": starts.rows},
            starts.where,
        )


SICK = Example(
    evidence=(RowStarts(64, 1, 2, 64, 0, "bos"),), finds=({"name": "bos", "times": 2, "rows": 64},)
)
HEALTHY = (
    Example(evidence=(RowStarts(64, 1, 1, 64, 0, "bos"),)),
    # left padding with the token of the beginning
    Example(evidence=(RowStarts(64, 1, 2, 20, 0, "bos"),)),
    # text that begins with two equal words
    Example(evidence=(RowStarts(64, 9, 2, 64, 0, ""),)),
    # documents packed into rows
    Example(evidence=(RowStarts(64, 1, 2, 64, 300, "bos"),)),
    # a soft prompt's slots
    Example(evidence=(RowStarts(64, 1, 8, 64, 0, "cls"),)),
)
