"""What clipping found (evidence ``Clipping``)."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.clipping import Clipping, ClipRow
from shindan.core.finding import Where
from shindan.core.reason import Reason
from shindan.probes.events import ClipCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session

KEPT = 4096
"""Calls kept of each line."""


@dataclass(eq=False)
class _Call:
    limit: float
    norm: float | None = None
    scale: float | None = None


@dataclass(eq=False)
class _Line:
    where: Where
    by_value: bool
    calls: list[_Call] = field(default_factory=list)


class Clips(Probe):
    """Norm and scale of every clipping, by line."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.lines: dict[tuple[str | None, int | None], _Line] = {}

    def on_clip(self, clip: ClipCall) -> None:
        """One call."""
        key = (clip.where.file, clip.where.line)
        line = self.lines.setdefault(key, _Line(clip.where, clip.norm is None))
        if len(line.calls) >= KEPT:
            return
        call = _Call(clip.max_norm)
        line.calls.append(call)
        if clip.norm is not None:
            self.session.mail.post(clip.norm, lambda v: setattr(call, "norm", v))
        if clip.scale is not None:
            self.session.mail.post(clip.scale, lambda v: setattr(call, "scale", v))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The rows so far."""
        if self.lines:
            yield Clipping(tuple(_row(line) for line in self.lines.values()))
        else:
            yield Unavailable("Clipping", Reason("nothing-clipped"))


def _row(line: _Line) -> ClipRow:
    calls = line.calls
    factors = [c.norm / c.limit for c in calls if c.norm is not None and c.limit > 0]
    norms = [c.norm / (c.scale or 1.0) for c in calls if c.norm is not None]
    scales = [c.scale for c in calls if c.scale is not None and c.scale > 1]
    return ClipRow(
        where=line.where,
        limit=calls[-1].limit,
        by_value=line.by_value,
        calls=len(calls),
        scaled=len(scales),
        scale=statistics.median(scales) if scales else 1.0,
        active=sum(f > 1 for f in factors) / len(factors) if factors else 0.0,
        factor=statistics.median(factors) if factors else 0.0,
        norm=statistics.median(norms) if norms else 0.0,
    )
