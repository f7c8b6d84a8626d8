"""What is kept of the sampled calls of distillation losses until it is told as evidence."""

import linecache
from dataclasses import dataclass, field

from torch import Tensor

from shindan.core.evidence.distillation import Sample, Side, Term
from shindan.core.finding import Where
from shindan.probes.events import LossCall
from shindan.probes.matching import Digest
from shindan.probes.padded_rows import counted, padding

KEPT = 64
HINTS = ("reverse", "rkl", "minillm", "jsd", "jensen", "skew", "gkd", "symmetric", "mutual")
LINES = 15
WITH_ROWS = 3
"""Samples of each place whose rows are compared with the padding."""


@dataclass(eq=False)
class Step:
    """What the losses of one sampled update share."""

    scale: list[float] = field(default_factory=list)
    hard: dict[str, float] = field(default_factory=dict)
    hard_rows: list[Tensor] = field(default_factory=list)
    outputs: dict[int, list[Digest]] = field(default_factory=dict)
    arguments: list[Tensor] = field(default_factory=list)
    taken: list["Taken"] = field(default_factory=list)


@dataclass(eq=False)
class Taken:
    """One sampled call."""

    step: Step
    call: int
    training: bool
    rows: int
    grads: tuple[bool, bool]
    values: dict[str, float] = field(default_factory=dict)
    sides: list[Tensor | None] = field(default_factory=list)
    found: list[dict[tuple[int, bool], tuple[float, float]]] = field(
        default_factory=lambda: [{}, {}]
    )
    active: Tensor | None = None


@dataclass(eq=False)
class Site:
    """One place that calls a distillation loss."""

    kind: str
    where: Where
    reduction: str
    log_target: bool
    shape: tuple[int, ...]
    words: tuple[str, ...]
    calls: int = 0
    next: int = 0
    samples: list[Taken] = field(default_factory=list)

    def thin(self) -> None:
        """Drop the rows of older samples, and of many samples every other one."""
        for old in self.samples[:-WITH_ROWS]:
            old.active = None
        if len(self.samples) > 2 * KEPT:
            del self.samples[:KEPT:2]


def site_of(call: LossCall) -> Site:
    """The place of a call."""
    params = call.params
    return Site(
        kind=call.kind,
        where=call.where,
        reduction=str(params.get("reduction", "mean")),
        log_target=bool(params.get("log_target", False)),
        shape=call.shape,
        words=_words(call),
    )


def _words(call: LossCall) -> tuple[str, ...]:
    """Hints in the lines above the call that its author means something unusual."""
    if call.where.file is None or call.where.line is None:
        return ()
    lines = range(max(1, call.where.line - LINES), call.where.line + 3)
    text = "".join(linecache.getline(call.where.file, n) for n in lines).lower()
    return tuple(h for h in HINTS if h in text)


def term(site: Site, current: Step | None) -> Term:
    """The evidence of one place; samples of the ``current``, unfinished update are left out."""
    over = [s for s in site.samples if s.step is not current]
    padded = [_padded(s) for s in over[-WITH_ROWS:]]
    counts = [c for c in padded if c is not None]
    return Term(
        kind=site.kind,
        reduction=site.reduction,
        log_target=site.log_target,
        shape=site.shape,
        calls=site.calls,
        samples=tuple(_told(s) for s in over[-KEPT:]),
        file=site.where.file,
        line=site.where.line,
        words=site.words,
        padded=sum(c[0] for c in counts),
        padded_active=sum(c[1] for c in counts),
        active=sum(c[2] for c in counts),
    )


def _padded(sample: Taken) -> tuple[int, int, int] | None:
    if sample.active is None or not sample.step.arguments:
        return None
    pads = padding(sample.step.arguments)
    return None if pads is None else counted(sample.active, pads)


def _told(sample: Taken) -> Sample:
    scale = sample.step.scale[0] if sample.step.scale else 1.0
    values = sample.values
    weight, hard = values.get("weight"), sample.step.hard.get("weight")
    return Sample(
        call=sample.call,
        value=values.get("value", float("nan")),
        rows=sample.rows,
        input=_side_told(sample, 0, "input"),
        target=_side_told(sample, 1, "target"),
        weight=None if weight is None else weight / scale,
        hard_weight=None if hard is None else hard / scale,
        gap=values.get("gap"),
        training=sample.training,
    )


def _side_told(sample: Taken, side: int, name: str) -> Side:
    """The best match, an output with gradients for a side with gradients first."""
    grad, found = sample.grads[side], sample.found[side]
    best = min(found, key=lambda k: (k[1] is not grad, found[k][0]), default=None)
    factor = found[best][1] if best is not None else 0.0
    return Side(
        grad=grad,
        root=best[0] if best is not None else None,
        temperature=1.0 / factor if factor > 0 else None,
        low=sample.values.get(f"{name}.low", 0.0),
        total=sample.values.get(f"{name}.total", 0.0),
        logsumexp=sample.values.get(f"{name}.logsumexp", 0.0),
        spread=sample.values.get(f"{name}.spread", 0.0),
    )
