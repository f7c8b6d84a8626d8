"""Replaces every input id and follows the change through the layers (evidence ``SignalPath``)."""

import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.signal import SignalPath, SignalRow
from shindan.core.reason import Reason
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.session import Session

MODULES, CALLS, SAMPLE = 128, 32, 1024
"""Matrix modules followed, calls of each, and elements sampled of one call."""

Samples = list[tuple[torch.Size, Tensor, Tensor]]
"""Of each call: the shape of its input, elements of its input and of its output."""


class SignalPaths(Probe):
    """Two replays in eval mode, at the first look and at the last."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.because = Reason("not-looked")
        self.first: SignalPath | None = None
        self.found: SignalPath | None = None
        self.root: weakref.ref[nn.Module] | None = None

    def on_look(self, look: Look) -> None:
        """Follow the change at a model's first look that can be replayed; at the last, its end."""
        if self.root is None or self.root() is not look.module:
            self.root, self.first = weakref.ref(look.module), None
        if self.first is not None and not look.last:
            return
        try:
            moved = float(_logits_moved(look))
            if self.first is None:
                self.first = followed(look, moved)
            a = self.first
            self.found = SignalPath(a.update, a.rows, a.head, a.swing, look.update, moved)
        except NoReplay as reason:
            self.because = reason.reason

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The path, with the newest change of the logits."""
        yield self.found or Unavailable("SignalPath", self.because)


def _logits_moved(look: Look) -> Tensor:
    replay = Replay.of(look)
    moved = (replay.states(look.other_ids(look.ids)) - replay.base)[replay.real]
    return moved.nan_to_num(0.0).square().mean().sqrt()


def followed(look: Look, swing: float) -> SignalPath:
    """Inputs and outputs of the matrix modules, as they were and with all ids replaced."""
    modules = [(n, m) for n, m in look.module.named_modules() if _is_matrix(m)][:MODULES]
    before, after = _sampled(look, modules, None), _sampled(look, modules, look.other_ids(look.ids))
    rows = tuple(
        _row(name, kind, calls, after[name, kind])
        for (name, kind), calls in before.items()
        if _shapes(calls) == _shapes(after.get((name, kind), []))
    )
    wide = {n for n, m in modules if getattr(m, "out_features", None) == look.classes}
    head = next((r.name for r in reversed(rows) if r.name in wide), "")
    return SignalPath(look.update, rows, head, swing, look.update, swing)


def _is_matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not isinstance(module, nn.Embedding)


def _sampled(
    look: Look, modules: list[tuple[str, nn.Module]], ids: Tensor | None
) -> dict[tuple[str, str], Samples]:
    """Per module, in order of first execution: samples of its input and output, call by call."""
    seen: dict[tuple[str, str], Samples] = {}

    def hook(name: str) -> Callable[..., None]:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            calls = seen.setdefault((name, type(module).__name__), [])
            if len(calls) < CALLS and args and isinstance(output, Tensor):
                calls.append((args[0].shape, _sample(args[0]), _sample(output)))

        return note

    with ExitStack() as undo:
        for name, module in modules:
            undo.callback(module.register_forward_hook(hook(name)).remove)
        Replay.of(look).states(ids)
    return {key: calls for key, calls in seen.items() if calls}


def _sample(t: Tensor) -> Tensor:
    """(<= SAMPLE,) float64 elements spread over the tensor, at the same places every time."""
    flat = t.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLE) | 1
    return flat[::step][:SAMPLE].double()


def _shapes(calls: Samples) -> list[torch.Size]:
    """An expert gets other tokens when the ids change: its inputs cannot be compared then."""
    return [shape for shape, _, _ in calls]


def _row(name: str, kind: str, before: Samples, after: Samples) -> SignalRow:
    pairs = list(zip(before, after, strict=True))
    return SignalRow(
        name,
        kind,
        _rms([b[2] for b, _ in pairs]),
        _rms([a[1] - b[1] for b, a in pairs]),
        _rms([a[2] - b[2] for b, a in pairs]),
    )


def _rms(parts: list[Tensor]) -> float:
    return float(torch.cat(parts).nan_to_num(0.0).square().mean().sqrt())
