"""What the Transformers are made of: attention, positions, and the matrices of "Phase 8"."""

import inspect
import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

varlen_attn: Any
ONLY_PAST: dict[str, Any] = {"window_size": (-1, 0)}
try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before torch 2.10
    varlen_attn = None
else:
    if "window_size" not in inspect.signature(varlen_attn).parameters:  # torch 2.10
        ONLY_PAST = {"is_causal": True}

Ids = Int[Tensor, "batch length"]
Mask = Bool[Tensor, "batch length"] | Int[Tensor, "batch length"]
"""1 at real tokens, 0 at padding."""
Hidden = Float[Tensor, "batch length hidden"]
Visible = Bool[Tensor, "batch 1 #length length"] | Float[Tensor, "batch 1 #length length"]
"""True where a query (row) may see a key (column); floats are *added* to the scores."""


class Pieces(NamedTuple):
    """Packed documents as the kernel for unequal lengths takes them, in place of a mask.

    ``starts``: where each document begins in the rows laid end to end, then the end of all, which
    may be repeated. Nothing is computed between documents, where a mask computes and throws away.
    """

    starts: Int[Tensor, " pieces"]


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2) around two given projections.

    ``qkv`` makes queries, keys and values in one product (H to 3H), ``out`` mixes the heads
    (H to H). PyTorch chooses the kernel; the probabilities are never held where it can help it.
    """

    def __init__(self, qkv: nn.Module, out: nn.Module, heads: int, dropout: float) -> None:
        super().__init__()
        self.qkv, self.out, self.heads, self.dropout = qkv, out, heads, dropout

    def project(
        self, x: Hidden
    ) -> tuple[
        Float[Tensor, "batch heads length width"],
        Float[Tensor, "batch heads length width"],
        Float[Tensor, "batch heads length width"],
    ]:
        """Queries, keys and values of every head; their scores are q @ k.T / sqrt(width)."""
        qkv: Tensor = self.qkv(x)
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(
        self,
        x: Hidden,
        mask: Visible | Pieces | None = None,
        causal: bool = False,
    ) -> Hidden:
        """What every position gathers from those it may see.

        ``causal`` forbids the future without a mask having to be built.
        """
        if isinstance(mask, Pieces):
            return self.apart(x, mask, causal)
        q, k, v = self.project(x)
        dropout = self.dropout if self.training else 0.0
        gathered = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal
        )
        mixed: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return mixed

    def apart(self, x: Hidden, pieces: Pieces, causal: bool) -> Hidden:
        """The same over documents laid end to end, each for itself."""
        q, k, v = self.qkv(x).flatten(0, 1).unflatten(-1, (3, self.heads, -1)).unbind(1)
        starts, longest = pieces.starts, x.shape[1]
        only_past = ONLY_PAST if causal else {}
        gathered: Tensor = varlen_attn(q, k, v, starts, starts, longest, longest, **only_past)
        mixed: Tensor = self.out(gathered.flatten(1).unflatten(0, x.shape[:2]))
        return mixed


def apart(
    documents: Ids, starts: Int[Tensor, " pieces"] | None, dropout: float
) -> Visible | Pieces:
    """What keeps packed documents apart: the kernel for it where there is one, else a mask.

    The kernel (torch >= 2.10) takes 16-bit numbers on a GPU, and has no dropout.
    """
    device = documents.device.type
    able = varlen_attn is not None and device == "cuda" and torch.is_autocast_enabled(device)
    if starts is None or dropout or not able:
        return same_document(documents)
    return Pieces(starts)


def places_within(documents: Ids) -> Ids:
    """How far each position is from the beginning of its document."""
    place = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return place - (place * begins).cummax(1).values


def same_document(documents: Ids) -> Bool[Tensor, "batch 1 length length"]:
    """True where query and key belong to one document of a packed row."""
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def sinusoids(length: int, hidden: int) -> Float[Tensor, "length hidden"]:
    """Sine at even places, cosine at odd ones (Vaswani et al. 2017, section 3.5)."""
    place = torch.arange(length, dtype=torch.float64)[:, None]
    turn = torch.exp(torch.arange(0, hidden, 2, dtype=torch.float64) * (-math.log(1e4) / hidden))
    table = torch.stack([(place * turn).sin(), (place * turn).cos()], dim=-1)
    return table.flatten(1).to(torch.get_default_dtype())


def ternary(weight: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The weights as -s, 0 or +s, s their mean magnitude (Ma et al. 2024, "1.58 bits", section 2).

    Rounding has no useful gradient, so backward passes it straight through to ``weight``
    (Bengio et al. 2013). A tensor that is all zeros stays so.
    """
    scale = weight.detach().abs().mean().clamp(min=1e-5)
    rounded = (weight / scale).round().clamp(-1, 1) * scale
    return weight + (rounded - weight).detach()


class TernaryLinear(nn.Linear):
    """A linear layer that computes with :func:`ternary` weights and trains the ones behind them."""

    def forward(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """``x`` times the rounded weights, plus the bias as it is."""
        return F.linear(x, ternary(self.weight), self.bias)


class LowRankLinear(nn.Module):
    """A linear layer whose matrix is a product through ``rank`` numbers: (in + out) x rank weights.

    With ``parts`` (queries, keys, values) each part of the outputs has its own ``rank`` numbers.
    """

    def __init__(
        self, width: int, out: int, rank: int, parts: int = 1, is_ternary: bool = False
    ) -> None:
        super().__init__()
        self.is_ternary = is_ternary
        self.down = nn.Parameter(torch.empty(parts * rank, width))
        self.up = nn.Parameter(torch.empty(parts, out // parts, rank))
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """``x`` down to ``rank`` numbers for each part, and up again."""
        down: Tensor = ternary(self.down) if self.is_ternary else self.down
        up: Tensor = ternary(self.up) if self.is_ternary else self.up
        narrow = F.linear(x, down).unflatten(-1, (up.shape[0], up.shape[2]))
        return torch.einsum("...pr,por->...po", narrow, up).flatten(-2) + self.bias


def initialise(layer: nn.Module, std: float) -> None:
    """Weights N(0, std), biases zero; the product of a low-rank layer gets that std as a whole."""
    if isinstance(layer, LowRankLinear):
        width, rank = layer.down.shape[1], layer.up.shape[2]
        nn.init.normal_(layer.down, std=1 / math.sqrt(width))  # keeps the scale of its input
        nn.init.normal_(layer.up, std=std * math.sqrt(width / rank))
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Linear | nn.Embedding):
        nn.init.normal_(layer.weight, std=std)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
