"""Position information: permute the tokens, exchange the rows, change the tables."""

import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from shindan.core.evidence.positions import PositionProbe, PositionTable
from shindan.probes.calls import Call, recording
from shindan.probes.embedded import token_table
from shindan.probes.look import NoReplay
from shindan.probes.looking import Intervention
from shindan.probes.order import order_test
from shindan.probes.perturbing import effect
from shindan.probes.position_signs import OTHER, Signs
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.trees import leaves

NAMED = re.compile(r"posit|(^|[._])(w?pe|pos)([._]|$|_?e)", re.IGNORECASE)
TABLES = 3


class Positions(Intervention, Probe):
    """Is the model told where its tokens stand, and along which axis?"""

    gives = PositionProbe

    def examine(self, replay: Replay) -> PositionProbe:
        """One replay per question. Raises NoReplay."""
        replay.steady()
        indices: dict[int, int] = {}
        signs = Signs(replay.look.module)

        def hear(call: Call) -> None:
            signs.hear(call)
            if call.name == "embedding":
                pair = [a for a in call.args if isinstance(a, Tensor)][:2]
                for weight, index in (pair, pair[::-1]):
                    if weight.is_floating_point():
                        indices[id(weight)] = len(index.unique())

        with recording(replay.look.module, hear):
            replay.states()
        tables = tuple(
            PositionTable(
                name,
                _flat(table)[0],
                isinstance(table, nn.Parameter),
                effect(replay, [table]),
                indices.get(id(table)),
            )
            for name, table in _tables(replay)
        )
        return PositionProbe(
            replay.lag,
            _equivariance(replay) if replay.lag is None else None,
            _row_order(replay),
            tables,
            signs.trigonometry or _other_scheme(replay.look.module),
            order=order_test(replay, signs) if replay.lag is not None else None,
        )


def _tables(replay: Replay) -> Iterator[tuple[str, Tensor]]:
    """Named like a position table, (L, D) up to axes of one, L at least T, D the tokens' width."""
    token = token_table(replay)
    weight = getattr(token, "weight", None)
    if not isinstance(weight, Tensor):
        return
    length, width, found = replay.look.ids.shape[1], weight.shape[-1], 0
    module = replay.look.module
    for name, t in [*module.named_parameters(), *module.named_buffers()]:
        if t is weight or not t.is_floating_point() or OTHER.search(name):
            continue
        rows, columns = _flat(t)
        if NAMED.search(name) and rows >= length and columns == width and found < TABLES:
            found += 1
            yield name, t


def _flat(t: Tensor) -> tuple[int, int]:
    sizes = [s for s in t.shape if s != 1]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (0, 0)


def _other_scheme(module: nn.Module) -> bool:
    if any(isinstance(m, (nn.RNNBase, nn.Conv1d)) for m in module.modules()):
        return True
    names = [n for n, _ in module.named_modules()] + [n for n, _ in module.named_buffers()]
    kinds = [type(m).__name__ for m in module.modules()]
    attributes = [k for m in module.modules() for k in vars(m)]
    return any(OTHER.search(n) for n in [*names, *kinds, *attributes])


def _equivariance(replay: Replay) -> float | None:
    """Permute the real tokens of every row, and what is said about each of them."""
    ids = replay.look.ids
    generator = torch.Generator().manual_seed(0)
    keys = torch.rand(ids.shape, generator=generator).to(ids.device)
    column = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    order = torch.where(replay.real, keys, 2.0 + column).argsort(1)
    places = torch.where(replay.real, 0, 1).argsort(dim=1, stable=True)
    index = torch.empty_like(places).scatter_(1, places, order)
    if bool((ids.gather(1, index) == ids).all()):
        return None
    swap = _turned(replay, lambda t: t.gather(1, index))
    states = replay.states(ids.gather(1, index), swap=swap)
    expected = replay.base.gather(1, index[..., None].expand_as(replay.base))
    apart = (states - expected).abs().nan_to_num(0.0, 0.0, 0.0).mean(-1)
    return float(apart[replay.real].mean()) / replay.spread if replay.spread else None


def _turned(replay: Replay, turn: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Every further argument with a value per token that differs by row, turned the same way."""
    look = replay.look
    swap: dict[str, Tensor] = {}
    for path, t in leaves({"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}):
        if path == look._ids[0] or t.ndim != 2 or t.shape != look._ids[1].shape:
            continue
        straight = t if look.first_is_batch else t.T
        if not bool((straight == straight[:1]).all()):
            turned = turn(straight)
            swap[path] = turned if look.first_is_batch else turned.T.contiguous()
    return swap


def _row_order(replay: Replay) -> float | None:
    """Exchange the rows; arguments whose batch axis is not plain make it impossible."""
    look = replay.look
    rows = len(look.ids)
    tree = {"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}
    others = [t for p, t in leaves(tree) if p != look._ids[0]]
    if rows < 2 or any(t.shape not in ((), look._ids[1].shape) for t in others):
        return None
    try:
        swap = _turned(replay, lambda t: t.roll(1, 0))
        states = replay.states(look.ids.roll(1, 0).contiguous(), swap=swap).roll(-1, 0)
    except NoReplay:
        return None
    moved = replay.movement(states)[replay.real]
    return float(moved.mean()) / replay.spread if replay.spread else None
