"""Every worker of a DataLoader reads the whole stream: each batch comes once per worker."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.rows import RowRepeats
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

ALIKE = 0.9
"""Equal batches from all workers turn after turn; a split stream or oversampling has none."""


@check(
    id="data/workers-repeat-stream",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("datasets#3423", "finetrainers#394", "espnet#2081", "transformers#11254"),
    explains=("symptom/overfit", "symptom/slow-progress"),
    subsumes=("data/duplicates",),
    fault=(
        Edit(
            script="sft_padded",
            old="DataLoader(train_rows, batch_size=16, shuffle=True, collate_fn=collate)",
            new="DataLoader(type('Stream', (torch.utils.data.IterableDataset,),"
            " {'__iter__': lambda self: iter(train_rows), '__len__': lambda self: 1600})(),"
            " batch_size=16, num_workers=2, multiprocessing_context='fork', collate_fn=collate)",
        ),
    ),
)
def CHECK(repeats: RowRepeats) -> Iterator[Finding]:
    """Row for row the same batch from every worker."""
    if repeats.alike is not None and repeats.alike >= ALIKE:
        yield Finding(
            {"workers": repeats.workers, "alike": round(repeats.alike, 4)},
            Where(repeats.file, repeats.line),
        )


def _repeats(workers: int, alike: float | None) -> RowRepeats:
    return RowRepeats(640, 320, 2, 0.9, 1.0, 20.0, 0.0, False, workers=workers, alike=alike)


SICK = Example(evidence=(_repeats(2, 1.0),), finds=({"workers": 2, "alike": 1.0},))
HEALTHY = (
    Example(evidence=(_repeats(2, 0.0),)),
    Example(evidence=(_repeats(0, None),)),
)
