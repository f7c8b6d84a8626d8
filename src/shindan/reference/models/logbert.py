"""LogBERT (Guo, Yuan and Wu 2021): a masked model of log keys, and a sphere of normal sessions.

A session is [DIST] and then its keys. Two things are learnt: the keys that were masked, and that
the states of [DIST] of normal sessions stay close to their centre.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shindan.reference.models.bert import BertConfig, MaskedLM
from shindan.reference.models.layers import Hidden, Ids, Mask


@dataclass(frozen=True)
class LogBertConfig:
    """What the model is; the sizes are those of the system in report 1."""

    vocab_size: int = 32
    """Log keys and special tokens together."""
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    intermediate: int = 1024
    max_positions: int = 512
    """The longest session, [DIST] included."""
    dropout: float = 0.1

    def encoder(self) -> BertConfig:
        """The encoder under it: pre-LN, learned positions, no segments."""
        return BertConfig(
            vocab_size=self.vocab_size,
            hidden=self.hidden,
            layers=self.layers,
            heads=self.heads,
            intermediate=self.intermediate,
            max_positions=self.max_positions,
            token_types=0,
            dropout=self.dropout,
            attention_dropout=self.dropout,
            norm="pre",
        )


class LogBert(nn.Module):
    """Sessions (B, L) with [DIST] first to the logits (B, L, V) of their keys.

    ``centre`` (H) is kept in the state dict; it is zero until :meth:`recentre` is called.
    """

    centre: Tensor

    def __init__(self, config: LogBertConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = MaskedLM(config.encoder())
        self.register_buffer("centre", torch.zeros(config.hidden))

    def encode(self, ids: Ids, mask: Mask | None = None) -> Hidden:
        """The last hidden state; position 0 is that of [DIST]."""
        return self.bert.encode(ids, mask)

    def head(self, hidden: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of log keys for any rows of hidden states."""
        return self.bert.head(hidden)

    def forward(
        self, ids: Ids, mask: Mask | None = None
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Logits at every position."""
        return self.head(self.encode(ids, mask))

    def distances(self, hidden: Hidden) -> Float[Tensor, " batch"]:
        """Squared distance of each session from the centre (section III-C); its mean is L_VHM.

        Squared, without a root: the root has no gradient at 0, where this loss wants to be.
        """
        return (hidden[:, 0] - self.centre).square().sum(-1)

    @torch.no_grad()
    def recentre(self, batches: Iterable[tuple[Tensor | None, ...]]) -> None:
        """Put the centre at the mean state of [DIST] over ``batches`` of what ``encode`` takes.

        The batches are to be of training data alone. The mean is taken without dropout, in
        double precision, every session counting once; the model's mode is as before afterwards.
        """
        was_training, total, sessions = self.training, torch.zeros_like(self.centre).double(), 0
        self.eval()
        for batch in batches:
            states = self.encode(*batch)[:, 0]  # type: ignore[arg-type]
            total += states.double().sum(0)
            sessions += len(states)
        self.train(was_training)
        if not sessions:
            raise ValueError("no session to take the centre of")
        self.centre.copy_(total / sessions)
