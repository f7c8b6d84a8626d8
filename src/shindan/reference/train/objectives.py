"""What is minimised: modules that own a model and turn a batch into sums over counted labels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from shindan.reference.train.task import IGNORE, Batch, Sums


def with_places(batch: Batch, multiple: int = 1) -> Batch:
    """The batch with ``places``: where labels count, as indices into (batch x length).

    Found here, on the CPU: on a GPU every step would wait for their number. A compiled model wants
    few different numbers: they are rounded up to a ``multiple`` with place 0, a special token's,
    which never has a label.
    """
    places = (batch["labels"].flatten() != IGNORE).nonzero().flatten()
    missing = -len(places) % multiple
    return {**batch, "places": F.pad(places, (0, missing))}


def packed(batch: Batch) -> dict[str, Tensor]:
    """What the models are told of packed rows, where rows are packed."""
    return {name: batch[name] for name in ("documents", "starts") if name in batch}


def cross_entropy(
    logits: Float[Tensor, "labels vocabulary"], labels: Int[Tensor, " labels"], smoothing: float
) -> Sums:
    """The sum over labels (nats); IGNORE counts not.

    With smoothing (Szegedy et al. 2016) the plain cross-entropy is told beside it as ``nll``. In
    evaluation also how often the largest logit is right: in training the search through a large
    vocabulary would cost as much as its softmax.
    """
    logits = logits.float()
    loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    sums = {"loss": loss}
    if not loss.requires_grad:
        sums["accuracy"] = (logits.argmax(-1) == labels).sum()
    if smoothing:
        with torch.no_grad():
            sums["nll"] = F.cross_entropy(logits, labels, reduction="sum")
    return sums


class MaskedObjective(nn.Module):
    """Cross-entropy of what stood at the masked positions; only these rows go through the head."""

    def __init__(self, model: nn.Module, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Sums:
        """Sums of a batch of ids, mask, labels, places."""
        seen = self.model.encode(batch["ids"], batch["mask"], **packed(batch))  # type: ignore[operator]
        hidden = seen.flatten(0, 1)
        logits = self.model.head(hidden[batch["places"]])  # type: ignore[operator]
        labels = batch["labels"].flatten()[batch["places"]]
        return cross_entropy(logits, labels, self.smoothing if self.training else 0.0)


class EveryPositionObjective(nn.Module):
    """The same loss by way of logits at every position, as most scripts compute it."""

    def __init__(self, model: nn.Module, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Sums:
        """Sums of a batch of ids, mask, labels."""
        logits = self.model(batch["ids"], batch["mask"], **packed(batch)).flatten(0, 1)
        smoothing = self.smoothing if self.training else 0.0
        return cross_entropy(logits, batch["labels"].flatten(), smoothing)


class NextTokenObjective(nn.Module):
    """Cross-entropy of the next token; labels are already shifted."""

    def __init__(self, model: nn.Module, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Sums:
        """Sums of a batch of ids, labels and, where rows are packed, documents."""
        logits = self.model(batch["ids"], **packed(batch))
        smoothing = self.smoothing if self.training else 0.0
        return cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), smoothing)
