"""What the training losses are given: logits or probabilities, and how wide at the start."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.computed import LossInputs, LossSite
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import LossCall
from shindan.probes.look import Look
from shindan.probes.probe import Probe
from shindan.probes.session import Session

ROWS = 256
"""Rows examined of one call."""
SITES = 16
EXAMINED = 12
"""Calls examined at one site: the 1st, 2nd, 4th, 8th ..."""


@dataclass
class _Site:
    kind: str
    classes: int
    update: int
    seen: int = 0
    verdicts: list[float] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)


class LossInput(Probe):
    """Samples the inputs of ``cross_entropy`` and ``nll_loss`` at doubling call numbers."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.sites: dict[tuple[str, int, str | None, int | None], _Site] = {}

    def on_loss(self, call: LossCall) -> None:
        """Examine the 1st, 2nd, 4th, 8th ... training call of each site."""
        if call.grad and call.kind in LANGUAGE and call.input.ndim >= 2:
            self._examine(call)

    def on_look(self, look: Look) -> None:
        """What a compiled region gave its loss: only a replay can tell."""
        if self.session.compiled and not self.sites:
            look.call(train=True)
            for call in tuple(self.session.overheard):
                if call.kind in LANGUAGE and call.input.ndim >= 2:
                    self._examine(call)

    def _examine(self, call: LossCall) -> None:
        key = (call.kind, call.shape[1], call.where.file, call.where.line)
        site = self.sites.get(key)
        if site is None:
            if len(self.sites) >= SITES:
                return
            site = self.sites[key] = _Site(call.kind, call.shape[1], self.session.update)
        site.seen += 1
        if site.seen & (site.seen - 1) or site.seen >= 1 << EXAMINED:
            return
        rows, targets = sampled(call.input.detach(), call.target)
        self.session.mail.post(are_probabilities(rows), site.verdicts.append)
        if site.seen == 1 and targets is not None:
            self._first(site, rows.float(), targets, call.params.get("ignore_index", -100))

    def _first(self, site: _Site, rows: Tensor, targets: Tensor, ignored: int) -> None:
        counted = targets != ignored
        log_probs = rows if site.kind == "nll_loss" else rows.log_softmax(-1)
        picked = log_probs.gather(1, torch.where(counted, targets, 0)[:, None].long())[:, 0]
        loss = -torch.where(counted, picked, 0.0).sum() / counted.sum()
        std = rows.std(-1, correction=0)
        first = site.first
        self.session.mail.post(loss, lambda v: first.__setitem__("loss", v))
        self.session.mail.post(std.mean(), lambda v: first.__setitem__("std", v))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The sites so far."""
        if not self.sites:
            yield Unavailable("LossInputs", Reason("no-training-cross-entropy"))
            return
        yield LossInputs(
            tuple(
                LossSite(
                    kind=site.kind,
                    classes=site.classes,
                    calls=len(site.verdicts),
                    probabilities=sum(v > 0 for v in site.verdicts),
                    file=file,
                    line=line,
                    first_loss=site.first.get("loss"),
                    first_std=site.first.get("std"),
                    first_update=site.update,
                )
                for (_, _, file, line), site in self.sites.items()
            )
        )


def sampled(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
    """At most ROWS rows (N, V) of a loss input whose class dimension is 1, and their targets (N).

    Targets are None when they are distributions.
    """
    rows = logits
    if logits.ndim > 2:
        per_item = max(1, logits[0].numel() // logits.shape[1])
        items = max(1, ROWS // per_item)
        rows = logits[:items].movedim(1, -1).reshape(-1, logits.shape[1])
    flat = target.reshape(-1)[: min(ROWS, len(rows))]
    rows = rows[:ROWS]
    usable = not target.is_floating_point() and len(flat) == len(rows)
    return rows, flat if usable else None


def are_probabilities(rows: Tensor) -> Tensor:
    """1.0 when every row lies in [0, 1] and sums to 1 (a scalar on the device).

    The tolerance is that of a sum of rounded numbers: 1e-3 in single precision, 2e-2 in half.
    """
    tolerance = 1e-3 if rows.dtype in (torch.float32, torch.float64) else 2e-2
    wide = rows.float()
    inside = ((wide >= 0) & (wide <= 1 + tolerance)).all()
    return (inside & ((wide.sum(-1) - 1).abs() < tolerance).all()).float()
