"""What a masked model is asked: Devlin et al. 2019, section 3.1, drawn anew for each batch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from shindan.reference.data.collate import IGNORE
from shindan.reference.data.tokenizers import (
    content_ids,
    specials,
    vocabulary_size,
    word_starts,
)

KEPT, RANDOM = 0.1, 0.1
"""Of the chosen tokens, how many stay as they are, and how many become another; 80 % are hidden."""


@dataclass(frozen=True)
class Masking:
    """Which ids may be asked and drawn. Special tokens, padding among them, are neither."""

    mask: int
    """The id of [MASK]."""
    content: Int[Tensor, " content"]
    """Ids that stand for text: those that may be chosen, and those put in at random."""
    is_content: Bool[Tensor, " vocabulary"]
    starts: Bool[Tensor, " vocabulary"] | None = None
    """Ids that begin a word: words are then chosen whole (BERT's whole-word masking)."""
    rate: float = 0.15
    """The chance of each token, or each word, to be chosen."""

    def __call__(
        self, ids_BL: Int[Tensor, "batch length"], generator: torch.Generator
    ) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"]]:
        """(inputs, labels): labels are the true ids where chosen, IGNORE elsewhere.

        A pure function of the ids and the generator's state, which moves on by the same amount
        whatever the ids are. A small batch may have no label at all.
        """
        chance_BL, fate_BL = torch.rand((2, *ids_BL.shape), generator=generator)
        drawn_BL = torch.randint(len(self.content), ids_BL.shape, generator=generator)
        content_BL = _of(ids_BL, self.is_content)
        if self.starts is not None:
            chance_BL = chance_BL.gather(1, self._word_BL(ids_BL, content_BL))
        chosen_BL = content_BL & (chance_BL < self.rate)
        hidden_BL = chosen_BL & (fate_BL >= KEPT + RANDOM)
        other_BL = chosen_BL & (fate_BL < RANDOM)
        inputs_BL = torch.where(other_BL, _of(drawn_BL, self.content), ids_BL)
        inputs_BL = inputs_BL.masked_fill(hidden_BL, self.mask)
        return inputs_BL, ids_BL.masked_fill(~chosen_BL, IGNORE)

    def _word_BL(
        self, ids_BL: Int[Tensor, "batch length"], content_BL: Bool[Tensor, "batch length"]
    ) -> Int[Tensor, "batch length"]:
        """The number of each token's word in its row; one draw of chance serves all its tokens."""
        assert self.starts is not None
        starts_BL = _of(ids_BL, self.starts) | ~content_BL
        starts_BL[:, 1:] |= ~content_BL[:, :-1]  # what follows [CLS] begins a word, Ġ or not
        starts_BL[:, 0] = True
        return starts_BL.cumsum(1) - 1


def _of(ids_BL: Int[Tensor, "batch length"], table: Tensor) -> Shaped[Tensor, "batch length"]:
    """What a table says of each id. (``table[ids]`` wakes every thread for a few thousand ids.)"""
    return table.index_select(0, ids_BL.flatten()).view_as(ids_BL)


def masking(tokenizer: Tokenizer, *, rate: float = 0.15, whole_words: bool = False) -> Masking:
    """The masking of a tokenizer's ids. ``DataError`` where it has no [MASK]."""
    starts = word_starts(tokenizer) if whole_words else None
    return _masking(
        specials(tokenizer)["mask"],
        content_ids(tokenizer),
        vocabulary_size(tokenizer),
        rate,
        starts,
    )


def key_masking(first: int, size: int, *, mask: int, rate: float) -> Masking:
    """The masking of log keys: ids from ``first`` up to ``size`` are keys, those below special."""
    return _masking(mask, np.arange(first, size), size, rate, None)


def _masking(
    mask: int,
    content: NDArray[np.int64],
    size: int,
    rate: float,
    starts: NDArray[np.bool_] | None,
) -> Masking:
    is_content = torch.zeros(size, dtype=torch.bool)
    is_content[content] = True
    return Masking(
        mask=mask,
        content=torch.from_numpy(content),
        is_content=is_content,
        starts=None if starts is None else torch.from_numpy(starts),
        rate=rate,
    )
