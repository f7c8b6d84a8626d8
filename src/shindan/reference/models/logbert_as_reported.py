"""The LogBERT of report 1 with its faults, each in the module it replaces and a field of its own.

Shapes: B sessions, L positions, H hidden.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shindan.reference.models.bert import BertConfig
from shindan.reference.models.layers import Hidden, Ids, Mask
from shindan.reference.models.logbert import LogBert, LogBertConfig

Seconds = Float[Tensor, "batch length"]
"""Since the session began."""
EPS = 1e-6
"""Added to the standard deviation, as in the public code."""


@dataclass(frozen=True)
class ReportedConfig(LogBertConfig):
    """The defaults are the report's; those of a model that is right stand last in each list."""

    init: Literal["default", "small", "normal"] = "default"
    """PyTorch's own; the report's cure (Xavier x 0.1, embeddings N(0, 0.02)); N(0, 0.02)."""
    layer_norm: Literal["sqrt", "std", "torch"] = "sqrt"
    """(x - mean) / (deviation + eps), the deviation as the root of a mean square or as
    ``torch.std``: on a row without variance the first has no gradient, the second one of 1 / eps;
    ``nn.LayerNorm``."""
    time: Literal["raw", "log", "off"] = "raw"
    """Seconds as they come into a linear layer, log(1 + seconds), or no time at all."""
    root: bool = True
    """The distance from the centre, not its square: without a gradient where it is 0."""
    blank_padding: bool = True
    """Padded places are set to zero after each layer: rows without variance."""
    plain: bool = True
    """As in the public code: no LayerNorm after the embeddings, and a decoder that is apart from
    them with no dense layer before it."""

    def encoder(self) -> BertConfig:
        """The encoder under it."""
        right = super().encoder()
        if not self.plain:
            return right
        return replace(right, embedding_norm=False, head_transform=False, tied=False)


class ReportedLogBert(LogBert):
    """With every field of its configuration right it is LogBert, weight for weight."""

    config: ReportedConfig

    def __init__(self, config: ReportedConfig) -> None:
        super().__init__(config)
        if config.layer_norm != "torch":
            write_norms(self, config)
        self.time = nn.Linear(1, config.hidden) if config.time != "off" else None
        if config.init == "small":
            self.apply(small)
        elif config.init == "default":
            self.apply(default)
            self.bert.embeddings.word.reset_parameters()  # after a decoder that is tied to it

    def encode(self, ids: Ids, mask: Mask | None = None, seconds: Seconds | None = None) -> Hidden:
        """The last hidden state; position 0 is that of [DIST]."""
        visible = self.bert.visible(mask)
        x: Tensor = self.bert.embeddings(ids)
        if self.time is not None and seconds is not None:
            told = seconds if self.config.time == "raw" else seconds.log1p()
            x = x + self.time(told[:, :, None])
        for layer in self.bert.layers:
            x = layer(x, visible)
            if self.config.blank_padding and mask is not None:
                x = x * mask[:, :, None]
        x = self.bert.final_norm(x)
        return x

    def distances(self, hidden: Hidden) -> Float[Tensor, " batch"]:
        """Distance of each session from the centre, squared or not."""
        squared = super().distances(hidden)
        return squared.sqrt() if self.config.root else squared


class WrittenLayerNorm(nn.Module):
    """LayerNorm by hand, eps beside the deviation instead of under its root."""

    def __init__(self, hidden: int, how: Literal["sqrt", "std"]) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        self.how = how

    def forward(self, x: Hidden) -> Hidden:
        """Each row with mean 0 and about deviation 1, times the gain, plus the bias."""
        away = x - x.mean(-1, keepdim=True)
        if self.how == "std":
            deviation = x.std(-1, keepdim=True)
        else:
            deviation = away.square().mean(-1, keepdim=True).sqrt()
        return self.gain * away / (deviation + EPS) + self.bias


def write_norms(model: nn.Module, config: ReportedConfig) -> None:
    """Put one written by hand in the place of every LayerNorm."""
    assert config.layer_norm != "torch"
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.LayerNorm):
                setattr(parent, name, WrittenLayerNorm(config.hidden, config.layer_norm))


def default(layer: nn.Module) -> None:
    """PyTorch's init: embeddings N(0, 1), linear layers uniform by the width of their input."""
    if isinstance(layer, nn.Linear | nn.Embedding):
        layer.reset_parameters()


def small(layer: nn.Module) -> None:
    """The init that the report took for the cure."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight, gain=0.1)
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Embedding):
        nn.init.normal_(layer.weight, std=0.02)
