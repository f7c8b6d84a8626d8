"""The terms that a student can learn from a teacher by, and their weights.

Shapes: N masked positions, B rows, L positions, V vocabulary, R relation heads of d numbers.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Mask = Bool[Tensor, "batch length"]


@dataclass(frozen=True)
class Losses:
    """The weight of each term, 0 leaving it out; every term is a mean, so that weights compare."""

    soft: float = 0.0
    """T^2 KL(teacher || student) of the answers softened by T, mean over masked positions (Hinton
    et al. 2015, section 2: T^2 keeps the gradient's size whatever T is)."""
    temperature: float = 1.0
    hard: float = 0.0
    """Cross-entropy of what stood there."""
    hidden: float = 0.0
    """Squared error of the student's states, projected *up*, to the fixed teacher's: mean over real
    positions and width, in units of the teacher's mean square, summed over the student's layers
    (Jiao et al. 2020, TinyBERT, eq. 8)."""
    embeddings: float = 0.0
    """The same of the embedding layers (TinyBERT, eq. 9)."""
    attention: float = 0.0
    """Squared error of the attention scores before softmax, layer by layer (TinyBERT, eq. 7)."""
    cosine: float = 0.0
    """1 - cosine of the last states (Sanh et al. 2019, DistilBERT, section 2)."""
    relations: float = 0.0
    """KL of the relations among queries, keys and values of the last layers (Wang et al. 2021,
    MiniLMv2, section 3): the widths may differ, for what is compared is of positions."""
    states_first: float = 0.0
    """A share of the updates that learns states alone, the rest answers alone (TinyBERT's two
    stages); 0 learns all together."""
    reduction: Literal["positions", "elements"] = "positions"
    """Report 3's fault is "elements": the soft term is divided by V as well, ``kl_div``'s way."""
    projection: Literal["up", "down"] = "up"
    """Report 3's fault is "down": the *teacher's* states go through the trained matrix, and the
    error is least where both have collapsed."""

    @property
    def needs_teacher(self) -> bool:
        """Whether any term but the hard one is in use."""
        return bool(
            self.soft or self.hidden or self.embeddings or self.attention or self.cosine
            or self.relations
        )  # fmt: skip


def soft_sum(
    own_NV: Float[Tensor, "labels vocabulary"],
    taught_NV: Float[Tensor, "labels vocabulary"],
    temperature: float,
) -> Float[Tensor, ""]:
    """T^2 KL(teacher || student) at temperature T, summed over the rows (nats)."""
    own_NV = (own_NV / temperature).log_softmax(-1)
    taught_NV = (taught_NV / temperature).log_softmax(-1)
    divergence = F.kl_div(own_NV, taught_NV, reduction="sum", log_target=True)
    return divergence * temperature**2


def mean_over(values_BL: Float[Tensor, "batch length"], mask_BL: Mask) -> Float[Tensor, ""]:
    """The mean over real positions; without indexing, for which a GPU would have to wait."""
    return (values_BL * mask_BL).sum() / mask_BL.sum()


def score_error(
    own: tuple[Tensor, ...], taught: tuple[Tensor, ...], mask: Mask
) -> Float[Tensor, ""]:
    """Mean squared error of the attention scores (B, heads, L, L) over pairs of real positions."""
    scores = [(q @ k.transpose(-1, -2)).float() / math.sqrt(q.shape[-1]) for q, k in (own, taught)]
    error_BLL = (scores[0] - scores[1]).square().mean(1)
    pairs_BLL = mask[:, :, None] & mask[:, None, :]
    return (error_BLL * pairs_BLL).sum() / pairs_BLL.sum()


def relation_error(
    own: Float[Tensor, "batch own_heads length own_width"],
    taught: Float[Tensor, "batch taught_heads length taught_width"],
    heads: int,
    mask: Mask,
) -> Float[Tensor, ""]:
    """KL(teacher || student) of softmax(x x' / sqrt(d)) among positions, mean over real ones.

    x are queries, keys or values, their heads joined and cut anew into ``heads`` for both.
    """
    logs = []
    for x in (own, taught):
        x_BRLd = x.transpose(1, 2).flatten(2).unflatten(-1, (heads, -1)).transpose(1, 2)
        scores = (x_BRLd @ x_BRLd.transpose(-1, -2)).float() / math.sqrt(x_BRLd.shape[-1])
        # Not -inf: what padding would weigh is 0 on both sides, and 0 x (-inf + inf) is NaN.
        logs.append(scores.masked_fill(~mask[:, None, None, :], -1e9).log_softmax(-1))
    divergence_BRL = F.kl_div(logs[0], logs[1], reduction="none", log_target=True).sum(-1)
    return mean_over(divergence_BRL.mean(1), mask)


def relation_heads(own: int, taught: int) -> int:
    """At most 48 (MiniLMv2's), a divisor of both widths, the student's heads 8 wide or wider."""
    most = max(1, min(48, own // 8))
    return next(n for n in range(most, 0, -1) if own % n == 0 and taught % n == 0)


def layer_pairs(own: int, taught: int) -> list[tuple[int, int]]:
    """Each layer of the student, from 1, and the teacher's that it follows: g(m) = m taught / own.

    The last follows the last (TinyBERT's uniform strategy: 3m for 4 layers of 12, 2m for 6).
    """
    return [(m, round(m * taught / own)) for m in range(1, own + 1)]
