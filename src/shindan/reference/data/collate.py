"""Rows to batches: padding, packing, and the labels of a causal model."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from shindan.reference.data.rows import PackedRow
from shindan.reference.data.tokenizers import Ids

IGNORE = -100
"""The label that no loss counts, as in ``torch.nn.functional.cross_entropy``."""


def padded(
    rows: Sequence[Ids], pad: int, length: int | None = None
) -> tuple[Int[Tensor, "batch length"], Bool[Tensor, "batch length"]]:
    """Ids and mask (true: a real token) of rows of unequal length.

    They are padded to the longest of them, or to ``length`` (one shape for a compiled model).
    """
    width = length or max(len(row) for row in rows)
    ids_BL = np.full((len(rows), width), pad, dtype=np.int64)
    mask_BL = np.zeros((len(rows), width), dtype=np.bool_)
    for b, row in enumerate(rows):
        ids_BL[b, : len(row)] = row
        mask_BL[b, : len(row)] = True
    return torch.from_numpy(ids_BL), torch.from_numpy(mask_BL)


def packed(
    rows: Sequence[PackedRow], pad: int = 0, length: int | None = None
) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"]]:
    """Ids, and the number of the document each belongs to within its row.

    Rows that are not full are padded to ``length``; padding is a document of its own, the last.
    """
    width = length or len(rows[0].ids)
    ids_BL = np.full((len(rows), width), pad, dtype=np.int64)
    documents_BL = np.full((len(rows), width), width, dtype=np.int64)
    for b, row in enumerate(rows):
        ids_BL[b, : len(row.ids)] = row.ids
        documents_BL[b, : len(row.ids)] = row.documents
    return torch.from_numpy(ids_BL), torch.from_numpy(documents_BL)


STARTS = 64
"""Starts of documents are told in multiples of so many: a compiled model sees few shapes."""


def starts_of(documents_BL: Int[Tensor, "batch length"]) -> Int[Tensor, " pieces"]:
    """Where documents begin in the rows laid end to end (int32), then the end, repeated."""
    begins_BL = torch.ones_like(documents_BL, dtype=torch.bool)
    begins_BL[:, 1:] = documents_BL[:, 1:] != documents_BL[:, :-1]
    found = begins_BL.flatten().nonzero().flatten()
    return F.pad(found, (0, STARTS - len(found) % STARTS), value=documents_BL.numel()).int()


def next_tokens(
    ids_BL: Int[Tensor, "batch length"],
    documents_BL: Int[Tensor, "batch length"] | None = None,
    pad: int | None = None,
) -> Int[Tensor, "batch length"]:
    """The label at t is the id at t + 1: the target of the logits at t.

    None is told at the end of a row, where the next token begins another document, or is padding.
    """
    labels_BL = torch.full_like(ids_BL, IGNORE)
    labels_BL[:, :-1] = ids_BL[:, 1:]
    if documents_BL is not None:
        labels_BL[:, :-1].masked_fill_(documents_BL[:, 1:] != documents_BL[:, :-1], IGNORE)
    if pad is not None:
        labels_BL.masked_fill_(labels_BL == pad, IGNORE)
    return labels_BL
