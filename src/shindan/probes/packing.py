"""Does the author say that a row holds several documents that must not meet?

Plain packing (nanoGPT) says nothing, and its documents may meet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from shindan.core.finding import NOWHERE, Where
from shindan.probes.calls import Call, recording
from shindan.probes.replay import Replay
from shindan.probes.trees import leaves

AGREE = 0.9
"""Share of document ends at which the same special id must stand."""


@dataclass(eq=False)
class Signal:
    """``starts``: (B, T) True where a further document begins (never in column 0)."""

    kind: str
    name: str
    starts: Tensor
    where: Where = NOWHERE


def boundaries(replay: Replay, beside: Iterable[tuple[str, Tensor]]) -> Signal | None:
    """Document ids or restarting positions, from the call's arguments, its batch, or inside."""
    look = replay.look
    tree = {"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}
    named = [(look.parameter(p), t) for p, t in leaves(tree) if p != look._ids[0]]
    for name, t in [*named, *beside, *_indices(replay)]:
        found = _signal(replay, name, t)
        if found is not None:
            return found
    return None


def _signal(replay: Replay, name: str, t: Tensor) -> Signal | None:
    look = replay.look
    if t.is_floating_point() or t.dtype == torch.bool:
        return None
    canonical = t if look.first_is_batch else t.T if t.ndim == 2 else t
    shape = look.ids.shape
    if canonical.ndim != 2 or canonical.shape[0] != shape[0]:
        return None
    if canonical.shape[1] not in (shape[1], shape[1] + 1):
        return None
    values = canonical[:, : shape[1]].to(look.ids.device).long()
    for kind, starts in (("document ids", numbered(values)), ("positions", restarted(values))):
        if starts is None:
            continue
        starts = starts & replay.real
        if int(starts.sum(1).max()) >= 2 and _marked(look.ids, starts):
            return Signal(kind, name, starts)
    return None


def numbered(values: Tensor) -> Tensor | None:
    """Numbers that only rise, by one, along each row, and stand still most of the time."""
    step = values[:, 1:] - values[:, :-1]
    if bool(((step != 0) & (step != 1)).any()) or int(step.sum()) * 3 > step.numel():
        return None
    return torch.nn.functional.pad(step == 1, (1, 0))


def restarted(values: Tensor) -> Tensor | None:
    """Positions that count up by one and begin again at the first value."""
    low = int(values.min())
    step = values[:, 1:] - values[:, :-1]
    again = values[:, 1:] == low
    if low not in (0, 1, 2) or bool((~again & (step != 1)).any()) or bool((step == 0).any()):
        return None
    return torch.nn.functional.pad(again, (1, 0))


def _marked(ids: Tensor, starts: Tensor) -> bool:
    """Does the same id stand before (end of text) or at (begin of text) nearly every start?"""
    row, column = starts.nonzero(as_tuple=True)
    for at in (ids[row, column], ids[row, column - 1]):
        if int(at.unique(return_counts=True)[1].max()) >= AGREE * len(at):
            return True
    return False


def _indices(replay: Replay) -> list[tuple[str, Tensor]]:
    """What was looked up in tables inside the model: restarting positions are made there too."""
    found: list[tuple[str, Tensor]] = []

    def hear(call: Call) -> None:
        if call.name == "embedding":
            index = next((a for a in call.args if _whole(a)), None)
            if index is not None:
                found.append((call.module, index))

    with recording(replay.look.module, hear):
        replay.states()
    return found


def _whole(a: object) -> bool:
    return isinstance(a, Tensor) and not a.is_floating_point()
