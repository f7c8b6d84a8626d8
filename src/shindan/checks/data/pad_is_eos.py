"""Padding and end of text share an id, and the end is masked away with the padding."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import EndOfText, Objective
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity

ENOUGH = 20
"""Rows that must end, or be padded."""


@check(
    id="data/pad-is-eos",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "huggingface/transformers#23530",
        "huggingface/trl#976",
        "huggingface/transformers#22794",
    ),
    fault=(
        Edit(
            script="accumulate_amp",
            old="PAD, BOS, EOS, IGNORE = 0, 1, 2, -100",
            new="PAD, BOS, EOS, IGNORE = 0, 1, 0, -100",
        ),
        Edit(script="custom_loss", old="PAD, BOS, EOS = 0, 1, 2", new="PAD, BOS, EOS = 0, 1, 0"),
    ),
)
def CHECK(ends: EndOfText, objective: Objective) -> Iterator[Finding]:
    """No counted label has the padding's id, and texts end with that id.

    That they do is shown by the rows (a real last token, or a longest row with one), or said by
    the script's own names. A tokenizer that calls both by one id, where no text shows an end, is
    a risk only: its texts may be meant to have none.
    """
    if objective.relation != "causal" or ends.counted:
        return
    measured = {
        "pad_id": ends.pad_id,
        "rows": ends.rows,
        "padded": ends.padded_rows,
        "ended": ends.ended_rows,
    }
    if ends.ended_rows >= ENOUGH:
        yield Finding(measured=measured, where=ends.where)
    elif ends.named and ends.padded_rows >= ENOUGH:
        severity: Severity = "major" if ends.named == "script" else "minor"
        yield Finding(measured=measured, where=ends.where, severity=severity, variant="named")


def _objective(relation: str = "causal") -> Objective:
    return Objective(relation, 1, 0, (), 13000, 11000)  # type: ignore[arg-type]


SICK = (
    Example(
        evidence=(EndOfText(2, 512, 470, 512, 0, 0), _objective()),
        finds=({"pad_id": 2, "ended": 512},),
    ),
    Example(
        evidence=(EndOfText(0, 512, 470, 0, 512, 0, "script"), _objective()),
        finds=({"pad_id": 0, "padded": 470},),
    ),
)
HEALTHY = (
    # padding of its own
    Example(evidence=(EndOfText(0, 512, 470, 0, 512, 0), _objective())),
    # one id for both, and every text's end is learnt
    Example(evidence=(EndOfText(2, 512, 470, 512, 0, 512, "tokenizer"), _objective())),
    # packed pre-training: nothing is padded
    Example(evidence=(EndOfText(2, 512, 0, 0, 0, 0, "tokenizer"), _objective())),
    # a masked language model never predicts an end
    Example(evidence=(EndOfText(2, 512, 470, 512, 0, 0, "script"), _objective("masked"))),
)
