"""A row is masked at the same positions whenever it comes again."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import MaskRepeats
from shindan.core.example import Example
from shindan.core.finding import Finding

REPEATS = 20
SAME = 0.9
"""Drawn anew, three or more of a row's positions hardly ever agree; ten stored copies of each
text (as BERT was trained) give 0.77 after 40 passes."""
PATTERNS = 0.1
"""Fewer different sets of positions than this share of the rows: a rule (the last token, every
third), not a draw."""
FIXED = 0.9
"""Share of tokens whose id is always or never masked, from which the choice is a rule too."""
PASSES = 2.5
"""After two passes it has cost little, after more the same answers are learnt by heart."""


@check(
    id="data/static-masking",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "Gen-Verse/dLLM-RL#31",
        "keras-team/keras-hub#796",
        "huggingface/transformers#5979",
        "gzerveas/mvts_transformer#46",
    ),
    explains=("symptom/overfit", "symptom/below-entropy-floor"),
    fault=(
        Edit(
            script="logkeys",
            old="LogDataset(train_sessions)",
            new="LogDataset(train_sessions, fixed_seed=1)",
        ),
        Edit(
            script="bert_mlm",
            old="    loader = DataLoader(train_rows, batch_size=24, shuffle=True, "
            "collate_fn=collate)\n",
            new="    masked = [collate(train_rows[i : i + 24]) for i in range(0, 1200, 24)]\n"
            "    loader = DataLoader(masked, batch_size=None, shuffle=True)\n",
        ),
    ),
)
def CHECK(masks: MaskRepeats) -> Iterator[Finding]:
    """Rows that came again in training had the positions they had before.

    Evaluation is not looked at: its masks should be fixed.
    """
    if masks.repeats < REPEATS or masks.same < SAME * masks.repeats:
        return
    if masks.patterns <= max(1, PATTERNS * masks.rows) or masks.fixed_ids > FIXED:
        return
    yield Finding(
        measured={
            "rows": masks.rows,
            "repeats": masks.repeats,
            "same": masks.same / masks.repeats,
            "visits": masks.visits,
        },
        where=masks.where,
        severity="major" if masks.visits >= PASSES else "minor",
    )


SICK = (
    Example(
        evidence=(MaskRepeats(600, 1200, 1200, 600, 3.0, 0.0),),
        finds=({"rows": 600, "same": 1.0},),
    ),
)
HEALTHY = (
    Example(evidence=(MaskRepeats(600, 1200, 3, 1795, 3.0, 0.0),)),
    # each text stored ten times with other masks
    Example(evidence=(MaskRepeats(600, 23400, 18000, 6000, 40.0, 0.0),)),
    # always the last key of a window
    Example(evidence=(MaskRepeats(600, 1200, 1200, 1, 3.0, 0.0),)),
    # every entity is masked, nothing else
    Example(evidence=(MaskRepeats(600, 1200, 1200, 600, 3.0, 1.0),)),
)
