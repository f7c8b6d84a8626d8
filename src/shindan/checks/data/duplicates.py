"""Rows of the training data repeat within one pass.

A repeated row counts only if it is too long and too varied to recur by chance: its information
under the run's own bigram counts exceeds 2 ln(rows) + 10 nats. So HDFS log sessions, of which 82 %
repeat, show 0.5 %; Shakespeare's lines 5.7 %; copies of whole documents show all of theirs.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve
from shindan.core.evidence.rows import RowRepeats
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity, Where

SHARE = 0.25
MOST = 0.5
DRAWN = (0.7, 1.4)
"""``scatter`` of rows that are drawn with replacement, as random windows are."""
ROWS = 64
GAP = 0.5
"""Nats by which evaluation exceeds training at the end, and its own best, where copies harm."""


@check(
    id="data/duplicates",
    kind="cause",
    severity="minor",
    grounds="ledger",
    refs=("google-research/bert#746", "ChakradharG/PeptideBERT#10"),
    explains=("symptom/overfit",),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="self.docs = torch.stack(columns, dim=1)  # (N, T + 1)",
            new="self.docs = torch.stack(columns, dim=1)[:32].repeat(n_docs // 32, 1)",
        ),
        Edit(
            script="sft_padded",
            old="train_rows = [encode(make_example(train_rng)) for _ in range(800)]",
            new="train_rows = [encode(make_example(train_rng)) for _ in range(40)] * 20",
        ),
    ),
)
def CHECK(repeats: RowRepeats, curve: Curve | None) -> Iterator[Finding]:
    """Repeats beyond chance within one pass; major when evaluation shows the harm."""
    if repeats.rows < ROWS or repeats.replacement or DRAWN[0] < repeats.scatter < DRAWN[1]:
        return
    severity: Severity | None = None
    if repeats.beyond_chance < SHARE:
        if not repeats.pass_known or 1 - repeats.distinct / repeats.rows < MOST:
            return
        severity = "info"
    elif not repeats.pass_known and repeats.scatter <= DRAWN[1]:
        return
    elif repeats.beyond_chance >= MOST and curve is not None and _harmed(curve):
        severity = "major"
    yield Finding(
        {
            "rows": repeats.rows,
            "distinct": repeats.distinct,
            "share": round(1 - repeats.distinct / repeats.rows, 4),
            "beyond_chance": round(repeats.beyond_chance, 4),
            "most": repeats.most,
        },
        Where(repeats.file, repeats.line),
        severity,
        variant="templates" if severity == "info" else "",
    )


def _harmed(curve: Curve) -> bool:
    """Training fell while evaluation went up again."""
    last = [
        m.ce if m.ce is not None else m.loss for m in curve.micro[-max(len(curve.micro) // 10, 1) :]
    ]
    if len(curve.evals) < 2 or not last:
        return False
    end = curve.evals[-1].loss
    return end - sum(last) / len(last) > GAP and end > min(e.loss for e in curve.evals) + GAP / 2


def _rows(rows: int, distinct: int, beyond: float, **changed: object) -> RowRepeats:
    values: dict[str, object] = {
        "most": rows // distinct,
        "entropy": 1.5,
        "length": 30.0,
        "scatter": 0.0,
        "pass_known": True,
    }
    return RowRepeats(rows, distinct, beyond_chance=beyond, **{**values, **changed})  # type: ignore[arg-type]


SICK = (
    Example(evidence=(_rows(640, 32, 1.0),), finds=({"distinct": 32, "share": 0.95},)),
    # HDFS: sessions repeat because the machine does; told, not held against anybody
    Example(evidence=(_rows(4855, 839, 0.005, scatter=90.0),), finds=({"beyond_chance": 0.005},)),
)
HEALTHY = (
    Example(evidence=(_rows(640, 640, 0.0),)),
    Example(evidence=(_rows(6335, 5600, 0.057, scatter=12.0),)),
    # random windows of a small text, drawn with replacement
    Example(evidence=(_rows(4000, 900, 0.95, scatter=1.02, pass_known=False),)),
    Example(evidence=(_rows(4000, 900, 0.95, scatter=3.0, replacement=True),)),
    # passes over a list without a DataLoader: several epochs look like even copies
    Example(evidence=(_rows(4000, 400, 0.99, scatter=0.0, pass_known=False),)),
)
