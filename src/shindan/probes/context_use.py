"""Does the model use its context, and does it see its answers? Interventions at the last look."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.context import ContextUse
from shindan.core.reason import Reason
from shindan.probes.capture import IGNORE
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.session import Session

PLACES = (0.35, 0.6, 0.85)
"""Where in the row (as a share of its length) the context before is replaced."""
LARGEST = 1 << 28
SHIFTED = 0.95


class ContextUseProbe(Probe):
    """Evidence ``ContextUse``, of the last look."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.found: ContextUse | None = None
        self.because = Reason("not-looked-at-end")

    def on_look(self, look: Look) -> None:
        """Only the last look counts."""
        if not look.last:
            return
        try:
            self.found = _examined(look)
        except NoReplay as reason:
            self.because = reason.reason
        except torch.OutOfMemoryError:
            self.because = Reason("no-memory")

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """What the last look found."""
        yield self.found or Unavailable("ContextUse", self.because)


def _examined(look: Look) -> ContextUse:
    ids, labels = look.ids, look.labels
    if len(ids) < 2 or ids.shape[1] < 8:
        raise NoReplay("batch-too-small")
    if ids.numel() * look.classes > LARGEST:
        raise NoReplay("logits-too-large")
    counted = labels != IGNORE
    own = float((ids == labels)[counted].float().mean())
    shifted = counted[:, :-1] & (ids[:, 1:] == labels[:, :-1])
    ahead = float(shifted.sum()) / max(int(counted[:, :-1].sum()), 1)
    base = look.logits()
    counted &= base.isfinite().all(-1)
    if not bool(counted.any()):
        raise NoReplay("output-not-finite")
    next_token = ahead > SHIFTED and ahead > own
    other = ids.roll(1, 0)
    if next_token:
        changes, rises = _before(look, base, counted, other)
    else:
        changes, rises = _around(look, base, counted, other), []
    if not changes:
        raise NoReplay("no-label-for-context")
    return ContextUse(
        update=look.update,
        objective="next" if next_token else "masked" if own < SHIFTED else "same",
        positions=sum(len(c) for c in changes),
        change=float(torch.cat(changes).mean()),
        spread=_spread(base[counted]),
        copied=own,
        future=max(rises) if rises else None,
        loss=float(cross_entropy(base[counted], labels[counted])),
        matrices=sum(p.ndim >= 2 for p in look.module.parameters()),
    )


def _before(
    look: Look, base: Tensor, counted: Tensor, other: Tensor
) -> tuple[list[Tensor], list[float]]:
    """Replace all before a position: change of its prediction. All after it: rise of its loss."""
    ids, labels = look.ids, look.labels
    changes: list[Tensor] = []
    rises: list[float] = []
    for share in PLACES:
        at = int(share * ids.shape[1])
        here = counted[:, at]
        if not bool(here.any()):
            continue
        before, after = ids.clone(), ids.clone()
        before[:, :at] = other[:, :at]
        after[:, at + 1 :] = other[:, at + 1 :]
        replaced = look.logits(before)[:, at]
        changes.append(_variation(base[:, at], replaced)[here])
        blind = look.logits(after)[:, at]
        truth = labels[:, at][here]
        rise = cross_entropy(blind[here], truth) - cross_entropy(base[:, at][here], truth)
        rises.append(float(rise))
    return changes, rises


def _around(look: Look, base: Tensor, counted: Tensor, other: Tensor) -> list[Tensor]:
    """Replace every token that has no label, keep the others: change at the labelled ones."""
    mixed = torch.where(counted, look.ids, other)
    return [_variation(base, look.logits(mixed))[counted]]


def _variation(a: Tensor, b: Tensor) -> Tensor:
    """Total variation distance of two sets of predictions, (..., V) -> (...)."""
    return (a.softmax(-1) - b.softmax(-1)).abs().sum(-1) / 2


def _spread(rows: Tensor) -> float:
    """Jensen-Shannon divergence of predictions (N, V): entropy of the mean less mean entropy."""
    p = rows[:: max(1, len(rows) // 2048)].softmax(-1)
    mean = p.mean(0)
    return float(torch.special.entr(mean).sum() - torch.special.entr(p).sum(-1).mean())
