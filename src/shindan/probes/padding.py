"""P2 and left padding: what padding does to the logits of real tokens."""

import torch
from torch import Tensor

from shindan.core.evidence.interventions import AttentionCall, PaddingProbe, ShiftProbe
from shindan.probes import pad_masks
from shindan.probes.embedded import with_content
from shindan.probes.interventions import audit_of
from shindan.probes.look import NoReplay
from shindan.probes.looking import Intervention
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.trees import leaves


class Padding(Intervention, Probe):
    """P2: change the content of padding; real tokens' logits must not move."""

    gives = PaddingProbe
    known = ""

    def examine(self, replay: Replay) -> PaddingProbe:
        """Two replays: other content at padding, and at as many real tokens. Raises NoReplay."""
        if replay.pad is None:
            raise NoReplay("no-padding-recognised")
        pad_id, pads = replay.pad
        rows = pads.any(1) & (replay.real.sum(1) >= 4)
        if not bool(rows.any()):
            raise NoReplay("no-long-padded-row")
        at_pads, at_reals = _matched(replay.real, pads, rows)
        watched = rows[:, None] & replay.real & ~at_reals
        other = replay.look.other_ids(replay.look.ids)
        by_pads = replay.movement(with_content(replay, other, at_pads))
        by_reals = replay.movement(with_content(replay, other, at_reals))
        mask = replay.look.mask
        blind = mask is not None and float(by_reals[watched].median()) == 0.0
        if mask is None:  # the script's variables are gone when it has ended
            self.known = self.known or pad_masks.known(replay, pads)
        return PaddingProbe(
            pad_id=pad_id,
            share=round(float(pads.float().mean()), 4),
            side="left" if bool(pads[rows][:, 0].any()) else "right",
            mask=replay.look.parameter(mask[0]) if mask else None,
            lag=_lag(replay),
            pads=float(by_pads[watched].median()),
            reals=float(by_reals[watched].median()),
            attention=_attention(replay),
            known=self.known,
            turned=_turned_round(replay, torch.where(at_reals, other, replay.look.ids), watched)
            if blind
            else None,
        )


def _turned_round(replay: Replay, changed: Tensor, watched: Tensor) -> float:
    """Median movement of the watched tokens under the opposite mask, when others are changed."""
    look = replay.look
    assert look.mask is not None
    tree = {"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}
    mask = next(t for n, t in leaves(tree) if n == look.mask[0])
    opposite = {look.mask[0]: ~mask if mask.dtype == torch.bool else 1 - mask}
    apart = replay.states(changed, swap=opposite) - replay.states(swap=opposite)
    return float(apart.abs().nan_to_num(0.0, 0.0, 0.0).mean(-1)[watched].median())


def _matched(real: Tensor, pads: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Equally many places per row: padding next to the tokens, and every other real token.

    A causal model is changed at the front of the row, so that something stands behind.
    """
    order = real.long().cumsum(1)
    every_other = real & (order % 2 == 1)
    n = torch.minimum(pads.sum(1), every_other.sum(1))[:, None]
    at_reals = every_other & (every_other.long().cumsum(1) <= n)
    left = pads[:, 0:1]
    rank = torch.where(left, pads.flip(1).long().cumsum(1).flip(1), pads.long().cumsum(1))
    at_pads = pads & (rank <= n)
    return at_pads & rows[:, None], at_reals & rows[:, None]


def _lag(replay: Replay) -> int | None:
    try:
        return replay.lag
    except NoReplay:
        return None


def _attention(replay: Replay) -> AttentionCall | None:
    audit = audit_of(replay)
    return next((c for c in audit.calls if c.length == audit.length), None)


class LeftPadding(Intervention, Probe):
    """Roll left-padded rows until the padding stands on the right: the tokens' logits must stay."""

    gives = ShiftProbe

    def examine(self, replay: Replay) -> ShiftProbe:
        """One replay of the rolled batch. Raises NoReplay."""
        if replay.pad is None or replay.lag is None:
            raise NoReplay("no-left-padding")
        pads = replay.pad[1]
        width = torch.where(pads[:, 0], pads.long().cumprod(1).sum(1), 0)
        rows = (width > 0) & (replay.real.sum(1) >= 4)
        if not bool(rows.any()):
            raise NoReplay("no-left-padding")
        replay.steady()
        ids = _rolled(replay.look.ids, width)
        back = _rolled(replay.states(ids, swap=_turned(replay, width)), -width)
        moved = replay.movement(back)[rows[:, None] & replay.real]
        return ShiftProbe(int(rows.sum()), float(moved.mean()), replay.spread, replay.half)


def _turned(replay: Replay, width: Tensor) -> dict[str, Tensor]:
    """Every further argument with a value per token that differs by row, rolled to the left."""
    look = replay.look
    swap: dict[str, Tensor] = {}
    for path, t in leaves({"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}):
        straight = t if look.first_is_batch else (t.T if t.ndim == 2 else t)
        if path == look._ids[0] or straight.shape != look.ids.shape:
            continue
        if bool((straight == straight[:1]).all()):
            continue
        turned = _rolled(straight, width)
        swap[path] = turned if look.first_is_batch else turned.T.contiguous()
    return swap


def _rolled(t: Tensor, width: Tensor) -> Tensor:
    """Every row of (B, T, ...) rolled to the left by its own width."""
    column = torch.arange(t.shape[1], device=t.device)
    index = (column[None, :] + width[:, None]) % t.shape[1]
    if t.ndim == 3:
        return t.gather(1, index[..., None].expand_as(t))
    return t.gather(1, index)
