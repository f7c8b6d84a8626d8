"""Interventions on the model's sequence axis: the future, the padding, the documents, the rows."""

import torch
from torch import Tensor

from shindan.core.evidence.interventions import (
    AttentionAudit,
    FutureProbe,
    Scramble,
)
from shindan.probes.attention_audit import Audit
from shindan.probes.calls import recording
from shindan.probes.look import NoReplay
from shindan.probes.looking import Intervention
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay
from shindan.probes.tracing import first_moved

GOLDEN = 0.618
LEAKS = 1e-3
"""Above it the module is looked for; the checks have their own thresholds."""


class Attention(Intervention, Probe):
    """Which attention calls are made, over what, masked how."""

    gives = AttentionAudit

    def examine(self, replay: Replay) -> AttentionAudit:
        """Listen to one replay; when attention is not over T, see whether context matters."""
        return audit_of(replay)


def audit_of(replay: Replay) -> AttentionAudit:
    """The audit of this look, made once."""
    found = vars(replay).get("_audit")
    if isinstance(found, AttentionAudit):
        return found
    batch, length = replay.look.ids.shape
    audit = Audit(length)
    with recording(replay.look.module, audit.hear):
        replay.states()
    scrambles = audit.scrambles
    if audit.coincides and not scrambles and length > 3:
        scrambles = _scrambles_of_a_shorter(replay, length - 1)
    lengths = {c.length for c in audit.calls}
    context = None
    if lengths and length not in lengths and length > 3:
        context = _context(replay)
    found = AttentionAudit(
        length,
        batch,
        tuple(audit.calls),
        tuple(audit.wrong),
        tuple(scrambles),
        context,
    )
    vars(replay)["_audit"] = found
    return found


def _scrambles_of_a_shorter(replay: Replay, length: int) -> list[Scramble]:
    """Where T has the size of another axis, listen to the rows cut to another length."""
    audit = Audit(length)
    try:
        with recording(replay.look.module, audit.hear):
            replay.shorter(length)
    except NoReplay:  # a model that takes no other length
        return []
    return audit.scrambles


def _context(replay: Replay) -> float:
    """Change every other position of the last row: do the positions between them move?"""
    ids = replay.look.ids
    odd = torch.zeros_like(replay.real)
    odd[:, 1::2] = True
    changed = torch.where(odd & replay.real, replay.look.other_ids(ids), ids)
    moved = replay.movement(replay.states(changed))
    still, own = moved[~odd & replay.real], moved[odd & replay.real]
    return float(still.mean() / own.mean().clamp(min=1e-12))


class Future(Intervention, Probe):
    """P1: change tokens from t on; logits before t must not move."""

    gives = FutureProbe

    def examine(self, replay: Replay) -> FutureProbe:
        """One replay with another t in every row. Raises NoReplay."""
        lag = replay.lag
        if lag is None:
            return FutureProbe(None, 0.0, 0.0, 0)
        ids = replay.look.ids
        late = self._late(replay.real)
        changed = torch.where(late & replay.real, replay.look.other_ids(ids), ids)
        before = ~late & replay.real & replay.counted
        after = late & replay.real
        if not bool(before.any()) or not bool(after.any()):
            raise NoReplay("no-label-before-change")
        moved = replay.movement(replay.states(changed))
        found = FutureProbe(
            lag, float(moved[before].max()), float(moved[after].mean()), int(before.sum())
        )
        if found.leak <= LEAKS:
            return found
        module = first_moved(replay, changed, before)
        return FutureProbe(lag, found.before, found.after, found.positions, module)

    @staticmethod
    def _late(real: Tensor) -> Tensor:
        """(B, T) True from t on; t is spread over the rows' own lengths."""
        column = torch.arange(real.shape[1], device=real.device).expand_as(real)
        first = torch.where(real, column, real.shape[1]).min(1).values
        last = torch.where(real, column, -1).max(1).values
        part = (0.5 + GOLDEN * torch.arange(len(real), device=real.device)) % 1.0
        t = first + 1 + (part * (last - first).clamp(min=0)).long()
        return column >= t[:, None]
