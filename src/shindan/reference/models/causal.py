"""The decoder-only Transformer of report 2: GPT-2's shape (Radford et al. 2019), and "Phase 8"'s.

Learned positions, pre-LN, GELU by tanh, a head tied to the words. Phase 8 has low-rank, ternary
matrices in its blocks (hidden 4096, 48 layers, rank 16). In that shape this is 192,356,352
parameters over 32,000 ids and 267,137,024 over GPT-2's, not the report's 327,798,729, which belong
to another architecture (docs/findings/report-2.md counts them): words that are products of two
small tensors, blocks without feed-forward layers that are mostly gates, dense matrices around them.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shindan.reference.models.layers import (
    Attention,
    Hidden,
    Ids,
    LowRankLinear,
    Pieces,
    TernaryLinear,
    Visible,
    apart,
    initialise,
    places_within,
)


@dataclass(frozen=True)
class CausalConfig:
    """What the decoder is; the defaults are GPT-2's smallest (124,439,808 parameters)."""

    vocab_size: int = 50_257
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    intermediate: int = 3072
    max_positions: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.1
    eps: float = 1e-5
    init_std: float = 0.02
    tied: bool = True
    rank: int | None = None
    """Rank of every matrix in the blocks; None for dense ones."""
    ternary: bool = False
    """Whether the matrices in the blocks compute with weights rounded to -s, 0, +s."""

    def __post_init__(self) -> None:
        """Refuse heads that do not divide the width."""
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")


class CausalLM(nn.Module):
    """Ids (B, L) to the logits (B, L, V) of what follows each position."""

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.config = config
        self.word = nn.Embedding(config.vocab_size, config.hidden)
        self.position = nn.Embedding(config.max_positions, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        blocks = [Block(config) for _ in range(config.layers)]
        self.blocks = nn.ModuleList(blocks)
        self.final_norm = nn.LayerNorm(config.hidden, eps=config.eps)
        self.decoder = nn.Linear(config.hidden, config.vocab_size, bias=False)
        for module in self.modules():
            initialise(module, config.init_std)
        for block in blocks:  # the sum of 2 x layers branches starts at the scale of one
            initialise(block.attention.out, config.init_std / math.sqrt(2 * config.layers))
            initialise(block.down, config.init_std / math.sqrt(2 * config.layers))
        if config.tied:
            self.decoder.weight = self.word.weight

    def encode(
        self,
        ids: Ids,
        documents: Ids | None = None,
        starts: Int[Tensor, " pieces"] | None = None,
    ) -> Hidden:
        """The last hidden state.

        ``documents`` numbers the document that each position belongs to, each a run of equal
        numbers in its row: attention stays inside it and its positions begin at 0, so that a
        packed document is read exactly as it would be alone. None: each row is one document.
        ``starts``, where they begin in the rows laid end to end, lets a GPU skip what lies between.
        """
        if ids.shape[1] > self.config.max_positions:
            raise ValueError(
                f"{ids.shape[1]} positions, but the model has only {self.config.max_positions}"
            )
        places = torch.arange(ids.shape[1], device=ids.device)
        mask: Visible | Pieces | None = None
        if documents is not None:
            places = places_within(documents)
            dropout = self.config.attention_dropout if self.training else 0.0
            mask = apart(documents, starts, dropout)
            mask = mask if isinstance(mask, Pieces) else mask.tril()
        x: Tensor = self.dropout(self.word(ids) + self.position(places))
        for block in self.blocks:
            x = block(x, mask)
        x = self.final_norm(x)
        return x

    def head(self, hidden: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of any rows of hidden states."""
        logits: Tensor = self.decoder(hidden)
        return logits

    def forward(
        self,
        ids: Ids,
        documents: Ids | None = None,
        starts: Int[Tensor, " pieces"] | None = None,
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Logits at every position."""
        return self.head(self.encode(ids, documents, starts))


class Block(nn.Module):
    """Attention to the past, then two matrices; each branch normalises its own input."""

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        hidden, intermediate = config.hidden, config.intermediate
        self.attention_norm = nn.LayerNorm(hidden, eps=config.eps)
        self.attention = Attention(
            qkv=matrix(config, hidden, 3 * hidden, parts=3),
            out=matrix(config, hidden, hidden),
            heads=config.heads,
            dropout=config.attention_dropout,
        )
        self.feed_norm = nn.LayerNorm(hidden, eps=config.eps)
        self.up = matrix(config, hidden, intermediate)
        self.activation = nn.GELU(approximate="tanh")
        self.down = matrix(config, intermediate, hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Hidden,
        mask: Visible | Pieces | None = None,
    ) -> Hidden:
        """One block further; without a mask every position sees all that came before it."""
        causal = mask is None or isinstance(mask, Pieces)
        attended = self.attention(self.attention_norm(x), mask, causal)
        x = x + self.dropout(attended)
        fed: Tensor = self.down(self.activation(self.up(self.feed_norm(x))))
        x = x + self.dropout(fed)
        return x


def matrix(config: CausalConfig, width: int, out: int, parts: int = 1) -> nn.Module:
    """One linear layer of a block: dense or low-rank, of real or ternary weights."""
    if config.rank is not None:
        return LowRankLinear(width, out, config.rank, parts, config.ternary)
    return TernaryLinear(width, out) if config.ternary else nn.Linear(width, out)
