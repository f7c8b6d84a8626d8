"""The masked language model of report 0, as BERT (Devlin et al. 2019) and as its Vaswani variant.

All are one encoder that differs in its configuration: BERT-base by default, :func:`vaswani`, and
:func:`vaswani_as_reported`. Shapes: B rows, L positions, H hidden, V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shindan.reference.models.layers import (
    Attention,
    Hidden,
    Ids,
    Mask,
    Pieces,
    Visible,
    apart,
    initialise,
    places_within,
    sinusoids,
)


@dataclass(frozen=True)
class BertConfig:
    """What the encoder is; the defaults are BERT-base's (109,514,298 parameters)."""

    vocab_size: int = 30_522
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    intermediate: int = 3072
    max_positions: int = 512
    token_types: int = 2
    """How many kinds of segment are told apart; 0 leaves their embedding out."""
    dropout: float = 0.1
    attention_dropout: float = 0.1
    eps: float = 1e-12
    """Of every LayerNorm."""
    init_std: float = 0.02
    init: Literal["normal", "xavier"] = "normal"
    """Linear layers: N(0, init_std), or Glorot's uniform. Embeddings are always N(0, init_std)."""
    norm: Literal["post", "pre"] = "post"
    """LayerNorm after each sum (BERT), or before each branch and once at the end."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    position_scale: float = 1.0
    embedding_scale: float = 1.0
    """Word embeddings are multiplied by this: sqrt(hidden) in Vaswani et al., section 3.4."""
    embedding_norm: bool = True
    tied: bool = True
    """The decoder's matrix is the word embeddings'."""
    head_transform: bool = True
    """Dense, activation and LayerNorm before the decoder."""
    activation: Literal["gelu", "relu"] = "gelu"
    pad: int | None = 0
    """The id whose embedding is not trained by being looked up."""
    added_mask: bool = False
    """Report 0's fault: the mask of ones and zeros is added to the scores, and hides nothing."""

    def __post_init__(self) -> None:
        """Refuse heads that do not divide the width."""
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")


def vaswani_as_reported(vocab_size: int = 30_522) -> BertConfig:
    """The self-made model of report 0 with its faults: 108,527,418 parameters."""
    return BertConfig(
        vocab_size=vocab_size,
        token_types=0,
        attention_dropout=0.0,
        eps=1e-5,
        init="xavier",
        norm="pre",
        positions="sinusoidal",
        position_scale=0.1,
        embedding_norm=False,
        head_transform=False,
        activation="relu",
        pad=None,
        added_mask=True,
    )


def vaswani(vocab_size: int = 30_522, hidden: int = 768) -> BertConfig:
    """The same model, right: sinusoidal positions beside words of their scale, pre-LN, no types."""
    return BertConfig(
        vocab_size=vocab_size,
        hidden=hidden,
        heads=hidden // 64,
        intermediate=4 * hidden,
        token_types=0,
        norm="pre",
        positions="sinusoidal",
        embedding_scale=math.sqrt(hidden),
        embedding_norm=False,
    )


class MaskedLM(nn.Module):
    """Ids (B, L) to the logits (B, L, V) of what stands at each position."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.final_norm = norm(config) if config.norm == "pre" else nn.Identity()
        self.transform = HeadTransform(config) if config.head_transform else nn.Identity()
        self.decoder = nn.Linear(config.hidden, config.vocab_size)
        for module in self.modules():
            initialise(module, config.init_std)
            if config.init == "xavier" and isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
        if config.pad is not None:
            nn.init.zeros_(self.embeddings.word.weight[config.pad])
        if config.tied:
            self.decoder.weight = self.embeddings.word.weight

    def encode(
        self,
        ids: Ids,
        mask: Mask | None = None,
        types: Ids | None = None,
        documents: Ids | None = None,
        starts: Int[Tensor, " pieces"] | None = None,
    ) -> Hidden:
        """The last hidden state; ``mask`` is 1 at real tokens, ``types`` are the segments.

        Rows that are packed have ``documents`` instead of a mask: the number of the document that
        each position belongs to, each a run of equal numbers. Attention stays inside it and its
        positions begin at 0, so that it is read exactly as it would be alone. ``starts``, where
        they begin in the rows laid end to end, lets a GPU skip what lies between them.
        """
        visible = self.visible(mask, documents, starts)
        x: Tensor = self.embeddings(ids, types, documents)
        for layer in self.layers:
            x = layer(x, visible)
        x = self.final_norm(x)
        return x

    def hidden_states(
        self, ids: Ids, mask: Mask | None = None, types: Ids | None = None
    ) -> list[Hidden]:
        """The embeddings and what each layer makes of them: layers + 1 tensors, for distillation.

        The last is not yet normalised under pre-LN.
        """
        visible = self.visible(mask)
        states: list[Tensor] = [self.embeddings(ids, types)]
        for layer in self.layers:
            states.append(layer(states[-1], visible))
        return states

    def projections(
        self, layer: int, state: Hidden
    ) -> tuple[Float[Tensor, "batch heads length width"], ...]:
        """Queries, keys and values in ``layer``, again from its input ``hidden_states[layer]``."""
        chosen = self.layers[layer]
        assert isinstance(chosen, EncoderLayer)
        return chosen.attention.project(chosen.attention_input(state))

    def head(self, hidden: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of any rows of hidden states; only the rows that have a label need it."""
        logits: Tensor = self.decoder(self.transform(hidden))
        return logits

    def forward(
        self,
        ids: Ids,
        mask: Mask | None = None,
        types: Ids | None = None,
        documents: Ids | None = None,
        starts: Int[Tensor, " pieces"] | None = None,
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Logits at every position."""
        return self.head(self.encode(ids, mask, types, documents, starts))

    def visible(
        self,
        mask: Mask | None,
        documents: Ids | None = None,
        starts: Int[Tensor, " pieces"] | None = None,
    ) -> Visible | Pieces | None:
        """The keys that every query may see; None where nothing is padded: the fast kernels.

        The ones are looked for on the CPU alone: asking a GPU would make every step wait for it.
        """
        if documents is not None:
            dropout = self.config.attention_dropout if self.training else 0.0
            return apart(documents, starts, dropout)
        if mask is None:
            return None
        if self.config.added_mask:
            return mask[:, None, None, :].to(self.embeddings.word.weight.dtype)
        if mask.device.type == "cpu" and not torch.compiler.is_compiling() and bool(mask.all()):
            return None
        return mask[:, None, None, :].bool()


class Embeddings(nn.Module):
    """Words plus positions plus segments."""

    sinusoids: Tensor

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_scale, self.position_scale = config.embedding_scale, config.position_scale
        self.word = nn.Embedding(config.vocab_size, config.hidden, padding_idx=config.pad)
        self.position, self.segment = None, None
        if config.positions == "learned":
            self.position = nn.Embedding(config.max_positions, config.hidden)
        else:
            table = sinusoids(config.max_positions, config.hidden)
            self.register_buffer("sinusoids", table, persistent=False)
        if config.token_types:
            self.segment = nn.Embedding(config.token_types, config.hidden)
        self.norm = norm(config) if config.embedding_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Ids, types: Ids | None = None, documents: Ids | None = None) -> Hidden:
        """Ids to vectors; segments that are not given are all 0."""
        table = self.sinusoids if self.position is None else self.position.weight
        length = ids.shape[1]
        if length > len(table):
            raise ValueError(f"{length} positions, but the model has only {len(table)}")
        positions = table[:length] if documents is None else table[places_within(documents)]
        x: Tensor = self.word(ids) * self.word_scale + positions * self.position_scale
        if self.segment is not None:
            x = x + (self.segment.weight[0] if types is None else self.segment(types))
        elif types is not None:
            raise ValueError("types were given to a model without token types")
        x = self.dropout(self.norm(x))
        return x


class EncoderLayer(nn.Module):
    """Attention, then two dense layers, each added to its input."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        hidden, self.is_pre = config.hidden, config.norm == "pre"
        qkv, out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.attention = Attention(qkv, out, config.heads, config.attention_dropout)
        self.attention_norm = norm(config)
        self.up = nn.Linear(hidden, config.intermediate)
        self.activation = activation(config)
        self.down = nn.Linear(config.intermediate, hidden)
        self.feed_norm = norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def attention_input(self, x: Hidden) -> Hidden:
        """What the attention is given of the layer's input."""
        normed: Tensor = self.attention_norm(x) if self.is_pre else x
        return normed

    def feed(self, x: Hidden) -> Hidden:
        """The two dense layers."""
        out: Tensor = self.dropout(self.down(self.activation(self.up(x))))
        return out

    def forward(
        self,
        x: Hidden,
        visible: Visible | Pieces | None = None,
    ) -> Hidden:
        """One layer further."""
        attended = x + self.dropout(self.attention(self.attention_input(x), visible))
        if self.is_pre:
            out: Tensor = attended + self.feed(self.feed_norm(attended))
        else:
            attended = self.attention_norm(attended)
            out = self.feed_norm(attended + self.feed(attended))
        return out


class HeadTransform(nn.Module):
    """Dense, activation, LayerNorm: what BERT puts before its tied decoder."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.activation = activation(config)
        self.norm = norm(config)

    def forward(self, hidden: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows hidden"]:
        """Hidden states as the decoder reads them."""
        out: Tensor = self.norm(self.activation(self.dense(hidden)))
        return out


def norm(config: BertConfig) -> nn.LayerNorm:
    """A LayerNorm of the model's width and eps."""
    return nn.LayerNorm(config.hidden, eps=config.eps)


def activation(config: BertConfig) -> nn.Module:
    """GELU is the exact one (erf), not its tanh approximation."""
    return nn.GELU() if config.activation == "gelu" else nn.ReLU()
