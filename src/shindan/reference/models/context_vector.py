"""The "New-LLM" of report 4: no attention and no positions, one vector carries all of the past.

At each token t, with c_0 = 0 and L layers of Linear, ReLU and Dropout on [e_t ; c_(t-1)]:
    logits = W_o h_t
    c_t = clamp(LayerNorm(sigmoid(W_f h_t) * c_(t-1) + sigmoid(W_i h_t) * W_c h_t), -10, 10)
Shapes: B rows, L positions, E embedding, H hidden, C context.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""As :meth:`ContextVectorLM.step`."""


@dataclass(frozen=True)
class ContextVectorConfig:
    """What the model is; the defaults are the baseline of report 4 (2,739,432 parameters)."""

    vocab_size: int = 1000
    embedding: int = 256
    hidden: int = 512
    context: int = 256
    layers: int = 6
    dropout: float = 0.1
    residual: bool = False
    """Whether each layer after the first is added to its input."""
    init: Literal["reported", "scaled"] = "reported"
    """All weights N(0, .02) as reported, which shrinks the signal by .32 a layer, or scaled so
    that it keeps its size: He et al. 2015 in the stack, unit embeddings beside the unit context."""
    init_std: float = 0.02
    """Of the reported init. A layer's gain is this times the root of hidden / 2: a narrower model
    needs more to fade alike."""


class ContextVectorLM(nn.Module):
    """Ids (B, L) to the logits (B, L, V) of what follows each position."""

    def __init__(self, config: ContextVectorConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.word = nn.Embedding(config.vocab_size, config.embedding)
        self.first = nn.Linear(config.embedding + config.context, hidden)
        others = [nn.Linear(hidden, hidden) for _ in range(config.layers - 1)]
        self.layers = nn.ModuleList(others)
        self.gates = nn.Linear(hidden, 3 * config.context)  # forget, input, new context
        self.context_norm = nn.LayerNorm(config.context)
        self.decoder = nn.Linear(hidden, config.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=config.init_std)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        if config.init == "scaled":
            nn.init.normal_(self.word.weight)
            nn.init.normal_(self.first.weight, std=math.sqrt(2 / self.first.in_features))
            # with residuals the sum of all branches, not each of them, has the size of its input
            branches = len(others) if config.residual else 1
            for layer in others:
                nn.init.normal_(layer.weight, std=math.sqrt(2 / hidden / branches))
            nn.init.normal_(self.gates.weight, std=1 / math.sqrt(hidden))

    def encode(
        self, ids: Int[Tensor, "batch length"], step: Step | None = None
    ) -> Float[Tensor, "batch length hidden"]:
        """h_t at every position, the context carried from left to right by :meth:`step`, or what
        does the same faster.

        Only what depends on the context is inside the loop: the words' share of the first layer
        is one product over all positions, and so is the head over what is returned.
        """
        split = [self.config.embedding, self.config.context]
        of_word, of_context = self.first.weight.split(split, dim=1)
        words = F.linear(self.word(ids), of_word, self.first.bias)
        # of the type of those that follow, and with a gradient like them: one compiled step for all
        context = of_context.new_zeros(len(ids), self.config.context)
        context.requires_grad_(torch.is_grad_enabled())
        step, states = step or self.step, []
        for word in words.unbind(1):
            hidden, context = step(word, context, of_context)
            states.append(hidden)
        return torch.stack(states, dim=1)

    def step(
        self,
        word: Float[Tensor, "batch hidden"],
        context: Float[Tensor, "batch context"],
        of_context: Float[Tensor, "hidden context"],
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch context"]]:
        """h_t and c_t of the word's share of the first layer, c_(t-1), and its weights there."""
        x = self.drop((word + F.linear(context, of_context)).relu())
        for layer in self.layers:
            out = self.drop(layer(x).relu())
            x = x + out if self.config.residual else out
        forget, let_in, new = self.gates(x).chunk(3, dim=-1)
        mixed = forget.sigmoid() * context + let_in.sigmoid() * new
        normed: Tensor = self.context_norm(mixed)
        return x, normed.clamp(-10, 10)

    def drop(self, x: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        """Dropout, in training."""
        return F.dropout(x, self.config.dropout, self.training)

    def head(self, hidden: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of any rows of hidden states."""
        logits: Tensor = self.decoder(hidden)
        return logits

    def forward(
        self, ids: Int[Tensor, "batch length"], step: Step | None = None
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Logits at every position."""
        return self.head(self.encode(ids, step))
