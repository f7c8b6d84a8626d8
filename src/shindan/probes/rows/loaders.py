"""What a DataLoader says of itself."""

from dataclasses import dataclass
from typing import Any

from torch.utils.data import BatchSampler, IterableDataset


@dataclass(frozen=True)
class LoaderKind:
    """``sampler``: its class's name; ``shuffles``: its own word on it (None: it has none).

    ``map_style``: the dataset has a length and is indexed; ``replacement``: rows are drawn with
    it; ``workers``: processes that each read the whole stream of an iterable dataset.
    """

    sampler: str | None = None
    map_style: bool = False
    replacement: bool = False
    shuffles: bool | None = None
    workers: int = 0


def kind_of(loader: Any) -> LoaderKind:
    """The kind of this DataLoader."""
    sampler = getattr(loader, "sampler", None)
    batches = getattr(loader, "batch_sampler", None)
    if type(batches) is not BatchSampler and batches is not None:
        sampler = batches
    dataset = loader.dataset
    streams = isinstance(dataset, IterableDataset)
    shuffles = getattr(sampler, "shuffle", None)
    return LoaderKind(
        type(sampler).__name__,
        hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"),
        bool(getattr(sampler, "replacement", False)),
        shuffles if isinstance(shuffles, bool) else None,
        int(getattr(loader, "num_workers", 0)) if streams else 0,
    )
