"""The LR ledger: what schedulers said, what optimizers used (evidence ``Rates``)."""

import statistics
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.rates import RateRow, Rates, SchedulerRow
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.events import BatchEvent, OptimizerStep
from shindan.probes.frames import where
from shindan.probes.horizons import children, horizon, integers
from shindan.probes.probe import Probe
from shindan.probes.session import Session

OPTIMIZERS = 4
SAME = 1e-6
"""Relative difference of learning rates that are equal."""
DELTAS = 2048
"""Steps between updates remembered of a scheduler."""


@dataclass(eq=False)
class _Clock:
    """One scheduler's counter."""

    ref: "weakref.ref[Any]"
    row: SchedulerRow
    last: int | None = None
    deltas: list[int] = field(default_factory=list)


@dataclass(eq=False)
class _Rates:
    number: int
    updates: int = 0
    micro_steps: int = 0
    compared: int = 0
    overridden: int = 0
    said: float = 0.0
    used: float = 0.0
    step: Where = NOWHERE
    clocks: list[_Clock] = field(default_factory=list)


class RatesProbe(Probe):
    """Compares the LR in use with every scheduler's last word, at each update."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.of: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Rates] = (
            weakref.WeakKeyDictionary()
        )
        self.all: list[_Rates] = []
        self.batches: dict[int, int] = {}

    def on_batch(self, event: BatchEvent) -> None:
        """The batch size of the loader that hands out most."""
        size = getattr(event.loader, "batch_size", None)
        if isinstance(size, int):
            self.batches[size] = self.batches.get(size, 0) + 1

    def on_step(self, step: OptimizerStep) -> None:
        """One update."""
        rates = self.of.get(step.optimizer)
        if rates is None:
            if len(self.all) >= OPTIMIZERS:
                return
            rates = self.of[step.optimizer] = _Rates(len(self.all), step=where())
            self.all.append(rates)
        rates.updates += 1
        schedulers = [s for r in self.session.schedulers if (s := r()) is not None]
        mine = [s for s in schedulers if _inner(s) is step.optimizer]
        inner = {id(c) for s in mine for c in children(s)}
        self._compare(rates, step.optimizer, mine)
        for scheduler in mine:
            if id(scheduler) not in inner:
                _tick(rates, scheduler)

    def on_step_done(self, step: OptimizerStep) -> None:
        """How many micro-steps it took."""
        rates = self.of.get(step.optimizer)
        if rates is not None and rates.updates > 1:  # before it others may have been at work
            rates.micro_steps += step.micro

    def _compare(self, rates: _Rates, optimizer: torch.optim.Optimizer, mine: list[Any]) -> None:
        said = [last for s in mine if (last := getattr(s, "_last_lr", None))]
        used = [float(g["lr"]) for g in optimizer.param_groups]
        said = [[float(v) for v in last] for last in said if len(last) == len(used)]
        if not said:
            return
        rates.compared += 1
        if not any(_same(last, used) for last in said):
            rates.overridden += 1
            furthest = max(range(len(used)), key=lambda i: abs(said[-1][i] - used[i]))
            rates.said, rates.used = said[-1][furthest], used[furthest]

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The rows so far."""
        if self.all:
            batch = max(self.batches, key=lambda size: self.batches[size], default=None)
            yield Rates(tuple(_row(r) for r in self.all), batch)
        else:
            yield Unavailable("Rates", Reason("no-optimizer-stepped"))


def _inner(scheduler: Any) -> Any:
    """Its optimizer, without the wrappers of frameworks."""
    optimizer = getattr(scheduler, "optimizer", None)
    return getattr(optimizer, "optimizer", optimizer)


def _tick(rates: _Rates, scheduler: Any) -> None:
    clock = next((c for c in rates.clocks if c.ref() is scheduler), None)
    now = int(getattr(scheduler, "last_epoch", 0))
    if clock is None:
        row = SchedulerRow(
            type(scheduler).__name__, now, 0.0, horizon(scheduler), integers(scheduler)
        )
        clock = _Clock(weakref.ref(scheduler), row)
        rates.clocks.append(clock)
    elif clock.last is not None and len(clock.deltas) < DELTAS:
        clock.deltas.append(now - clock.last)
    clock.last = now


def _same(said: list[float], used: list[float]) -> bool:
    return all(abs(a - b) <= SAME * max(abs(a), abs(b)) for a, b in zip(said, used, strict=True))


def _row(rates: _Rates) -> RateRow:
    schedulers = tuple(
        SchedulerRow(
            kind=c.row.kind,
            steps=c.last or 0,
            per_update=float(statistics.median(c.deltas)) if c.deltas else 0.0,
            horizon=c.row.horizon,
            integers=c.row.integers,
        )
        for c in rates.clocks
    )
    later = max(rates.updates - 1, 1)
    return RateRow(
        optimizer=rates.number,
        updates=rates.updates,
        micro_steps=rates.micro_steps + round(rates.micro_steps / later),
        schedulers=schedulers,
        compared=rates.compared,
        overridden=rates.overridden,
        said=rates.said,
        used=rates.used,
        step=rates.step,
    )
