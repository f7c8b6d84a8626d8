"""Learning rates in prints and logs, held against those the optimizers use."""

import re
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.settings import LoggedRate, LoggedRates
from shindan.core.reason import Reason
from shindan.probes.events import LogEvent, OptimizerStep
from shindan.probes.printed import slack
from shindan.probes.probe import Probe
from shindan.probes.session import Session

RATE = re.compile(
    r"(?P<label>(?<![A-Za-z_])(?:lr|learning[ _-]?rate)s?)(?![A-Za-z_])"
    r"['\"]?[\s:=|>(\[]{1,6}(?P<number>\d*\.?\d+(?:[eE][+-]?\d+)?)(?![\dx%*]|\s*(?:->|=>|→))",
    re.I,
)
OTHERS = re.compile(
    r"(?:base|init|initial|peak|max|min|start|target|final|end|config)\w*[ _-]*$", re.I
)
KEYS = ("lr", "learning_rate", "train/lr", "train/learning_rate", "lr_0", "lr/0")
PLACES = 16
NEIGHBOURS = 2
"""Updates before and after a log whose rates it may mean."""
RELATIVE = 2e-3
KEPT = 4


@dataclass(eq=False)
class _Log:
    value: float
    slack: float
    update: int
    used: float
    left: int


@dataclass(eq=False)
class _Place:
    where: tuple[str | None, int | None]
    label: str
    low: float = float("inf")
    high: float = float("-inf")
    waiting: list[_Log] = field(default_factory=list)
    logs: int = 0
    met: int = 0
    updates: set[int] = field(default_factory=set)
    wrong: list[tuple[float, float]] = field(default_factory=list)


class Rates(Probe):
    """Judges each logged rate by the updates around it."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.places: dict[tuple[str | None, int | None, str], _Place] = {}
        self.recent: weakref.WeakKeyDictionary[torch.optim.Optimizer, deque[tuple[float, ...]]] = (
            weakref.WeakKeyDictionary()
        )

    def on_log(self, event: LogEvent) -> None:
        """Find rates in a text or a record."""
        place = (event.where.file, event.where.line)
        for label, value, room in _rates(event):
            key = (*place, label)
            if key not in self.places and len(self.places) == PLACES:
                return
            self._logged(self.places.setdefault(key, _Place(place, label)), value, room)

    def _logged(self, place: _Place, value: float, room: float) -> None:
        around = [r for many in self.recent.values() for group in many for r in group]
        for ref in self.session.optimizers:
            optimizer = ref()
            if optimizer is not None:
                around += _used(optimizer)
        around += [r for r in (place.low, place.high) if abs(r) != float("inf")]
        place.low, place.high = float("inf"), float("-inf")
        if not self.recent or not around:
            return  # nothing has been trained yet
        last = next(iter(self.recent.values()))[-1][0]
        left = NEIGHBOURS * max(1, len(self.recent))
        log = _Log(value, room, self.session.update, last, left)
        if _within(log, min(around), max(around)):
            _judge(place, log, True)
        else:
            place.waiting.append(log)

    def on_step(self, step: OptimizerStep) -> None:
        """The rates of this update: they may be those a log meant."""
        used = tuple(_used(step.optimizer))
        if not used:
            return
        self.recent.setdefault(step.optimizer, deque(maxlen=NEIGHBOURS)).append(used)
        for place in self.places.values():
            place.low, place.high = min(place.low, *used), max(place.high, *used)
            for log in tuple(place.waiting):
                log.left -= 1
                met = _within(log, min(used), max(used))
                if met or log.left == 0:
                    place.waiting.remove(log)
                    _judge(place, log, met)

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The places so far; logs after the last update are left out."""
        places = tuple(
            LoggedRate(
                *p.where,
                p.label,
                p.logs,
                len(p.updates),
                p.met,
                tuple(w for w, _ in p.wrong),
                tuple(u for _, u in p.wrong),
            )
            for p in self.places.values()
            if p.logs
        )
        if places:
            yield LoggedRates(places)
        else:
            yield Unavailable("LoggedRates", Reason("no-rate-logged"))


def _rates(event: LogEvent) -> Iterator[tuple[str, float, float]]:
    """(label, value, half a unit of the last place shown)."""
    for key, value in event.values.items():
        if key.lower() in KEYS:
            yield key.lower(), value, 0.0
    for found in list(RATE.finditer(event.text))[:4]:
        if not OTHERS.search(event.text[: found.start()]):
            number = found["number"]
            yield found["label"].lower(), float(number), slack(number)


def _used(optimizer: torch.optim.Optimizer) -> list[float]:
    """Learning rates of all groups; one kept on an accelerator is not read."""
    return [
        float(g["lr"])
        for g in optimizer.param_groups
        if not isinstance(g["lr"], torch.Tensor) or g["lr"].device.type == "cpu"
    ]


def _within(log: _Log, low: float, high: float) -> bool:
    slack = log.slack + RELATIVE * max(abs(log.value), abs(high))
    return low - slack <= log.value <= high + slack


def _judge(place: _Place, log: _Log, met: bool) -> None:
    place.logs += 1
    place.met += met
    if len(place.updates) < 1000:
        place.updates.add(log.update)
    if not met:
        place.wrong = [*place.wrong[: KEPT - 1], (log.value, log.used)]
