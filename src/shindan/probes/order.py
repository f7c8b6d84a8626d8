"""Is the last token blind to the order of those before it?

The states of a causal model depend on order through its mask alone, and only from the second
layer on: so each module that mixes positions is asked by itself, with what it got. Positions that
enter elsewhere (tables, rotated queries) are seen in rows of equal tokens, whose states are equal
at every place when nothing tells the places apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.evidence.order import OrderTest
from shindan.probes.look import NoReplay
from shindan.probes.perturbing import perturbed
from shindan.probes.position_signs import Signs
from shindan.probes.replay import Replay
from shindan.probes.trees import leaves, mapped

EQUAL = 1e-4
"""Relative; rounding is a tenth of it and less, a position signal ten times as much and more."""
MIXES = 0.01
"""Movement of the last state, relative to its size, when the inputs before it are changed."""
LEAST = 4
"""Tokens of a row."""
POINTWISE = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.Dropout, nn.Identity, nn.ModuleList)


def order_test(replay: Replay, signs: Signs) -> OrderTest | None:
    """None where the two axes cannot be told apart, or the model does not bear being asked."""
    rows, length = replay.look.ids.shape
    sign = signs.sign()
    if rows == length or length < LEAST or not sign:
        return None
    asked = _Asked(replay)
    try:
        with asked.heard(constant=True):
            states = replay.states(_constant(replay))
        apart = max(asked.apart, _along(states, 1, replay.real))
        if apart <= EQUAL:
            with asked.heard(constant=False):
                replay.states()
    except NoReplay:
        return None
    blind = asked.modules > 0 and asked.moved <= EQUAL
    return OrderTest(apart, asked.moved, asked.modules, sign, blind and signs.declined())


def _constant(replay: Replay) -> Tensor:
    pool = replay.look.seen_ids()
    rows = torch.arange(len(replay.look.ids), device=pool.device)
    return pool[rows % len(pool)][:, None].expand_as(replay.look.ids).contiguous()


def _along(t: Tensor, time: int, real: Tensor) -> float:
    """Largest mean |difference| of a state from the first real one of its row, over their size."""
    states = t.detach().float() if time == 1 else t.detach().float().transpose(0, 1)
    states = states.reshape(*states.shape[:2], -1)
    first = real.int().argmax(1)
    own = states[torch.arange(len(states), device=states.device), first]
    apart = (states - own[:, None]).abs().mean(-1)[real]
    return float(apart.max()) / max(float(states[real].abs().mean()), 1e-12)


class _Asked:
    """Hooks on every module that may mix positions; ``moved`` is the most that order moved one."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.shape = replay.look.ids.shape
        self.order, self.free, self.last = _shuffled(replay.real)
        self.apart = 0.0
        self.moved = 0.0
        self.modules = 0
        self._below: list[int] = []
        self._busy = False

    @contextmanager
    def heard(self, *, constant: bool) -> Iterator[None]:
        """Inside, calls of the root's modules are looked at, or asked."""
        with ExitStack() as undo:
            for module in list(self.replay.look.module.modules())[1:]:
                if not isinstance(module, POINTWISE):
                    for handle in self._hooks(module, constant):
                        undo.callback(handle.remove)
            yield

    def _hooks(self, module: nn.Module, constant: bool) -> Sequence[Any]:
        if constant:
            return (module.register_forward_pre_hook(self._entered, with_kwargs=True),)
        return (
            module.register_forward_pre_hook(self._begun),
            module.register_forward_hook(self._left, with_kwargs=True),
        )

    def _entered(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        found = self._state((args, kwargs))
        if found is not None:
            self.apart = max(self.apart, _along(*found, self.replay.real))

    def _begun(self, module: nn.Module, args: Any) -> None:
        if not self._busy:
            self._below.append(0)

    def _left(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._busy:
            return
        mixing = self._below.pop() if self._below else 0
        found = self._state((args, kwargs))
        if mixing <= 1 and found is not None and self.moved <= EQUAL:
            self._busy = True
            try:
                mixes = self._ask(module, args, kwargs, *found)
            finally:
                self._busy = False
            mixing = max(mixing, int(mixes))
        if self._below:
            self._below[-1] += mixing

    def _state(self, tree: Any) -> tuple[Tensor, int] | None:
        """The first argument with a state per token that is no table, and its time axis."""
        rows, length = self.shape
        for _, t in leaves(tree):
            if t.is_floating_point() and t.ndim >= 3 and t.shape[:2] == (rows, length):
                return t, 1
            if t.is_floating_point() and t.ndim >= 3 and t.shape[:2] == (length, rows):
                return t, 0
        return None

    def _ask(self, module: nn.Module, args: Any, kwargs: Any, x: Tensor, time: int) -> bool:
        """Permute what comes before the last token, and change it. True when the module mixes."""
        order, free = (t if time == 1 else t.T for t in (self.order, self.free))
        wide = [1] * (x.ndim - 2)
        turned = x.gather(time, order.reshape(*order.shape, *wide).expand_as(x))
        changed = torch.where(free.reshape(*free.shape, *wide), -x, x)
        with perturbed([p for p in module.parameters() if p.is_floating_point()]):
            base = self._last(module, (args, kwargs))
            moved = [
                (self._last(module, mapped((args, kwargs), partial(_instead, x, new))) - base)
                for new in (turned, changed)
            ]
        permuted, effect = (float(m.abs().mean()) for m in moved)
        if not effect > MIXES * float(base.abs().mean()):  # also where it is not a number
            return False
        self.modules += 1
        self.moved = max(self.moved, permuted / effect)
        return True

    def _last(self, module: nn.Module, call: Any) -> Tensor:
        """(B, C) the output at the last real token of each row."""
        args, kwargs = call
        found = self._state(module.forward(*args, **kwargs))
        if found is None:
            return torch.zeros(1)
        t, time = found
        states = t.detach().float() if time == 1 else t.detach().float().transpose(0, 1)
        rows = torch.arange(len(states), device=states.device)
        return states[rows, self.last].reshape(len(states), -1)


def _instead(old: Tensor, new: Tensor, t: Tensor) -> Tensor:
    return new if t is old else t


def _shuffled(real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """An order (B, T) of each row that permutes its real tokens but the last; which; the last."""
    column = torch.arange(real.shape[1], device=real.device).expand_as(real)
    last = torch.where(real, column, -1).max(1).values
    free = real & (column != last[:, None])
    keys = torch.rand(real.shape, generator=torch.Generator().manual_seed(0)).to(real.device)
    order = torch.where(free, keys, 2.0 + column).argsort(1)
    places = torch.where(free, 0, 1).argsort(dim=1, stable=True)
    return torch.empty_like(places).scatter_(1, places, order), free, last
