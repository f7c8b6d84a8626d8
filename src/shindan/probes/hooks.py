"""What the user's gradient hooks do (evidence ``GradientHooks``)."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.clipping import GradientHooks, HookRow
from shindan.core.finding import Where
from shindan.core.reason import Reason
from shindan.probes.events import HookCall
from shindan.probes.probe import Probe
from shindan.probes.session import Session

KEPT = 2048
PILE = 0.999
"""Part of the limit from which an element counts as lying at it."""


@dataclass(eq=False)
class _Sample:
    changed: float = 0.0
    beyond: float = 0.0
    piled: float = 0.0
    limit: float = 0.0
    scale: float = 1.0


@dataclass(eq=False)
class _Line:
    where: Where
    parameters: set[int] = field(default_factory=set)
    samples: list[_Sample] = field(default_factory=list)


class Hooks(Probe):
    """Compares gradients before and after each hook on sampled micro-steps."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.lines: dict[tuple[str | None, int | None], _Line] = {}

    def on_hook(self, call: HookCall) -> None:
        """One hook on one parameter."""
        line = self.lines.setdefault((call.where.file, call.where.line), _Line(call.where))
        line.parameters.add(id(call.parameter))
        if len(line.samples) >= KEPT or call.before.shape != call.after.shape:
            return
        before, after = call.before.float(), call.after.float()
        there = (before != 0).sum().clamp(min=1)
        limit = after.abs().max()
        scale = call.scale if call.scale is not None else before.new_ones(())
        sample = _Sample()
        line.samples.append(sample)
        post = self.session.mail.post
        altered = (before != after) & (before != 0)
        piled = (altered & (after.abs() >= PILE * limit)).sum() / altered.sum().clamp(min=1)
        post(altered.sum() / there, _put(sample, "changed"))
        post(piled, _put(sample, "piled"))
        post(((before.abs() / scale) > limit).sum() / there, _put(sample, "beyond"))
        post(limit, _put(sample, "limit"))
        post(scale, _put(sample, "scale"))

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The rows so far."""
        rows = tuple(_row(line) for line in self.lines.values() if line.samples)
        if rows:
            yield GradientHooks(rows)
        else:
            yield Unavailable("GradientHooks", Reason("no-gradient-hooks"))


def _put(sample: _Sample, name: str) -> Callable[[float], None]:
    return lambda value: setattr(sample, name, value)


def _row(line: _Line) -> HookRow:
    samples = line.samples
    return HookRow(
        where=line.where,
        parameters=len(line.parameters),
        samples=len(samples),
        scale=statistics.median(s.scale for s in samples),
        changed=statistics.median(s.changed for s in samples),
        piled=statistics.median(s.piled for s in samples),
        beyond=statistics.median(s.beyond for s in samples),
        limit=max(s.limit for s in samples),
    )
