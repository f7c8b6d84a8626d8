"""One micro-step as it happened: a call that can be made again, its outputs and losses."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from shindan.core.finding import Where
from shindan.probes.events import ForwardCall, LossCall
from shindan.probes.trees import leaves, mapped

IGNORE = -100
DIGEST = 8
"""Columns of the logits kept to find out which position each row of the loss came from."""
LANGUAGE = ("cross_entropy", "nll_loss")


@dataclass(eq=False)
class LossSeen:
    """One loss call of the captured micro-step; big tensors reduced to digests.

    ``digest`` is (N, DIGEST), the first columns of the input's rows; ``target`` is a clone.
    """

    kind: str
    shape: tuple[int, ...]
    digest: Tensor
    target: Tensor
    params: dict[str, Any]
    where: Where
    inside: bool


@dataclass(eq=False)
class Capture:
    """The first micro-step of an update that will be looked at.

    ``live`` is the call as it happened, ``call`` a copy of it that can be made again.
    """

    live: ForwardCall
    call: ForwardCall
    update: int
    module: nn.Module
    losses: list[LossSeen] = field(default_factory=list)
    outputs: list[tuple[str, tuple[int, ...], Tensor]] = field(default_factory=list)
    closed: bool = False

    def returned(self, output: Any) -> None:
        """Digest the root's floating-point outputs of two or more dimensions."""
        for name, t in leaves(output):
            if t.is_floating_point() and t.ndim >= 2 and t.shape[-1] > 1:
                self.outputs.append((name, tuple(t.shape), digest(t)))

    def lost(self, call: LossCall) -> None:
        """Digest a loss call."""
        rows = rows_of(call.input) if call.kind in LANGUAGE else call.input
        self.losses.append(
            LossSeen(
                call.kind,
                tuple(call.input.shape),
                digest(rows),
                _target(call.target),
                call.params,
                call.where,
                call.inside,
            )
        )


def capture(call: ForwardCall, update: int) -> Capture:
    """Copy the arguments of a root call, so that it can be made again."""
    kept = ForwardCall(
        call.module,
        mapped(call.args, _copy),
        mapped(call.kwargs, _copy),
        call.training,
        call.grad,
        call.index,
        call.autocast,
        rng=call.rng,
    )
    return Capture(call, kept, update, plain(call.module))


def plain(module: nn.Module) -> nn.Module:
    """The user's own module inside ``torch.compile`` and data-parallel wrappers."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and type(module).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def rows_of(logits: Tensor) -> Tensor:
    """The input of a cross-entropy as (N, V): the class dimension is 1 when there are three."""
    if logits.ndim == 2:
        return logits
    return logits.movedim(1, -1).reshape(-1, logits.shape[1])


def digest(t: Tensor) -> Tensor:
    """(N, DIGEST) first columns of the rows of ``t``."""
    return t.detach()[..., :DIGEST].reshape(-1, min(DIGEST, t.shape[-1])).clone()


def _target(t: Tensor) -> Tensor:
    """Labels whole; of a distribution or of hidden states only the digest."""
    return digest(t) if t.is_floating_point() and t.ndim > 1 else t.detach().clone()


def _copy(t: Tensor) -> Tensor:
    return t.detach() if t.is_floating_point() and t.numel() > 1_000_000 else t.detach().clone()
