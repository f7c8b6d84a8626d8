"""Activations by module at the first and at the last look (evidence ``LayerPicture``)."""

import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.curve import Layer, LayerPicture
from shindan.core.reason import Reason
from shindan.probes.look import Look
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.trees import leaves

MODULES = 200
"""Modules in the picture; of larger models the shallowest."""


class Layers(Probe):
    """One replay in eval mode with forward hooks, at the first and the last look."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.first: tuple[int, tuple[Layer, ...]] | None = None
        self.last: tuple[int, tuple[Layer, ...]] | None = None
        self.root: weakref.ref[nn.Module] | None = None

    def on_look(self, look: Look) -> None:
        """Take the picture."""
        if self.root is None or self.root() is not look.module:  # another model is trained now
            self.root, self.first = weakref.ref(look.module), None
        if self.first is None:
            self.first = (look.update, picture(look))
        elif look.last:
            self.last = (look.update, picture(look))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The pictures so far."""
        if self.first is None:
            yield Unavailable("LayerPicture", Reason("not-looked"))
            return
        last = self.last or (0, ())
        yield LayerPicture(self.first[1], last[1], self.first[0], last[0])


def picture(look: Look) -> tuple[Layer, ...]:
    """RMS, largest magnitude and non-finite share of every module's first output, as executed."""
    seen: list[tuple[str, str, Tensor]] = []

    def hook(name: str) -> Callable[..., None]:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            first = next((t for _, t in leaves(output) if t.is_floating_point()), None)
            if first is not None and first.numel():
                seen.append((name, type(module).__name__, summary(first.detach())))

        return note

    chosen = sorted(look.module.named_modules(), key=lambda item: item[0].count("."))[:MODULES]
    with ExitStack() as undo:
        for name, module in chosen:
            undo.callback(module.register_forward_hook(hook(name)).remove)
        look.call()
    return tuple(Layer(n, kind, *s.tolist()) for n, kind, s in seen[:MODULES])


def summary(t: Tensor) -> Tensor:
    """(3,) float64: RMS and largest magnitude of the finite elements, share of the others."""
    finite = t.isfinite()
    wide = torch.where(finite, t, 0).float()
    mean_square = wide.square().sum(dtype=torch.float64) / finite.sum().clamp(min=1)
    missing = 1 - finite.double().mean()
    return torch.stack([mean_square.sqrt(), wide.abs().max().double(), missing])
