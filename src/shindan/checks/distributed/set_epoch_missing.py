"""A DistributedSampler is never told the epoch: every epoch has the same order."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.rows import RowOrder
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

AGAIN = 0.9
"""Share of successions that come again; 1 / rows when shuffled anew."""
SAMPLER = "DistributedSampler"


@check(
    id="distributed/set-epoch-missing",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("pytorch#31771", "pytorch#31232", "DALLE-pytorch#230", "ParallelWaveGAN#177"),
    explains=("symptom/overfit",),
    subsumes=("data/not-shuffled",),
    fault=(
        Edit(
            script="sft_padded",
            old="DataLoader(train_rows, batch_size=16, shuffle=True, collate_fn=collate)",
            new="DataLoader(train_rows, batch_size=16, collate_fn=collate,"
            " sampler=torch.utils.data.DistributedSampler(train_rows, 1, 0))",
        ),
    ),
)
def CHECK(order: RowOrder) -> Iterator[Finding]:
    """The rows followed each other as in the epoch before, though the sampler shuffles."""
    again = order.followed is not None and order.followed >= AGAIN
    if order.sampler == SAMPLER and order.shuffles and again:
        yield Finding(
            {"rows": order.repeated, "followed": round(order.followed or 0.0, 4)},
            Where(order.file, order.line),
        )


def _order(followed: float | None, sampler: str, shuffles: bool | None) -> RowOrder:
    return RowOrder(
        100, 1600, 800, followed, 0.003, 0.8, 0.02, 50, 0.0, sampler, True, shuffles=shuffles
    )


SICK = Example(evidence=(_order(1.0, SAMPLER, True),), finds=({"rows": 800, "followed": 1.0},))
HEALTHY = (
    Example(evidence=(_order(0.001, SAMPLER, True),)),
    # one epoch only
    Example(evidence=(_order(None, SAMPLER, True),)),
    # the same order is asked for
    Example(evidence=(_order(1.0, SAMPLER, False),)),
    Example(evidence=(_order(1.0, "SequentialSampler", None),)),
)
