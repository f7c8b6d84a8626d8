"""Training rows come sorted, or in the same order every epoch.

Thresholds. The intra-class correlation of bags of tokens within batches is |ICC| <= 0.01 when
rows are shuffled (15 runs: WikiText-2, HDFS, the patients), 0.02 to 0.10 for natural text in its
own order (documents end), 0.17 to 0.9 for rows sorted by a content attribute or cut as overlapping
windows. 0.13 lies between; ``drift`` (neighbouring batches resemble each other) keeps out batches
that are homogeneous on purpose but come shuffled (measured <= 0.05 against 0.5 to 0.85 sorted).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.rows import RowOrder
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity, Where

CLUSTERED = 0.13
DRIFTING = 0.3
CERTAIN = 10.0
GROUPS = 10
AGAIN = 0.9
CONTIGUOUS = 0.5
RANDOM = ("RandomSampler", "SubsetRandomSampler", "SeedableRandomSampler")


@check(
    id="data/not-shuffled",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "google-research/bert#324",
        "EasyTPP#54",
        "insightface#2059",
        "360-LLaMA-Factory#46",
        "Pints-AI/1.5-Pints#12",
    ),
    explains=("symptom/loss-spikes", "symptom/slow-progress", "symptom/loss-diverging"),
    fault=(
        Edit(
            script="bert_mlm",
            old="DataLoader(train_rows, batch_size=24, shuffle=True, collate_fn=collate)",
            new="DataLoader(sorted(train_rows), batch_size=24, collate_fn=collate)",
        ),
        Edit(
            script="sft_padded",
            old="DataLoader(train_rows, batch_size=16, shuffle=True, collate_fn=collate)",
            new='DataLoader(sorted(train_rows, key=lambda r: r["input_ids"]), batch_size=16,'
            " collate_fn=collate)",
        ),
        Edit(
            script="gpt_mingpt",
            old="            for x, y in self.train_loader:\n",
            new="            torch.manual_seed(0)\n            for x, y in self.train_loader:\n",
        ),
    ),
)
def CHECK(order: RowOrder) -> Iterator[Finding]:
    """Sorted rows, or the same order again, unless it is contiguous text."""
    if order.stream >= CONTIGUOUS:
        return
    where = Where(order.file, order.line)
    sorted_rows = (
        order.icc is not None
        and order.icc >= CLUSTERED
        and order.drift >= DRIFTING
        and order.excess >= CERTAIN
        and order.groups >= GROUPS
    )
    if sorted_rows:
        severity: Severity | None = "minor" if order.curriculum else None
        yield Finding(_measured(order), where, severity)
    elif order.followed is not None and order.followed >= AGAIN:
        meant = order.sampler in RANDOM or order.asked is True
        plain: Severity = "minor" if order.map_style else "info"
        yield Finding(_measured(order), where, None if meant else plain, variant="again")


def _measured(order: RowOrder) -> dict[str, float | int | str]:
    return {
        "icc": round(order.icc or 0.0, 4),
        "drift": round(order.drift, 4),
        "batches": order.groups,
        "rows": order.rows,
        "followed": round(order.followed or 0.0, 4),
        "sampler": order.sampler or "none",
    }


def _order(**changed: object) -> RowOrder:
    values: dict[str, object] = {
        "batches": 100,
        "rows": 1600,
        "repeated": 800,
        "followed": 0.01,
        "icc": 0.003,
        "excess": 0.8,
        "drift": 0.02,
        "groups": 50,
        "stream": 0.0,
        "sampler": "RandomSampler",
        "map_style": True,
    }
    return RowOrder(**{**values, **changed})  # type: ignore[arg-type]


_SORTED = {"icc": 0.43, "excess": 166.0, "drift": 0.8, "sampler": "SequentialSampler"}

SICK = (
    Example(evidence=(_order(**_SORTED),), finds=({"icc": 0.43},)),
    Example(evidence=(_order(followed=0.99),), finds=({"followed": 0.99},)),
    Example(
        evidence=(_order(followed=1.0, sampler="SequentialSampler"),), finds=({"followed": 1.0},)
    ),
)
HEALTHY = (
    Example(evidence=(_order(),)),
    # contiguous streams are read in order on purpose (word_language_model, llm.c)
    Example(evidence=(_order(followed=1.0, stream=1.0, icc=0.1, excess=34.0, drift=0.33),)),
    # documents in the order of the corpus: natural text, one pass
    Example(evidence=(_order(followed=None, icc=0.08, excess=55.0, drift=0.26),)),
    # batches of one task each, shuffled
    Example(evidence=(_order(icc=0.5, excess=200.0, drift=0.04),)),
    # too few batches to tell
    Example(evidence=(_order(icc=0.4, excess=12.0, drift=0.5, groups=8),)),
)
