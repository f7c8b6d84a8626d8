"""The learning-rate controller of report 2, the "TSP path optimizer", with its alarm repaired.

It sits above the schedule and visits "cities", each a scale of the learning rate and of the
clipping norm, from bold to timid. Every ten *updates* (the report's counted micro-steps) it
measures how much loss and gradient norm vary and moves towards the city as steady as that asks.

**What was repaired, and why.** As reported, a coefficient of variation (CV) of the gradient norm
above 0.25 was an emergency and sent the run to the last city; between .05 and .15 it already asked
for the most timid one. In the report's log the CV of ten gradient norms lies between .28 and .51
(median) in *every* window, because it was trained on one short row at a time: the alarm never
stopped, and the controller made one move in its life. How much norms vary is a property of the
batch, not of the run's health. So every limit is now in units of the run's own median CV: the
ratios 1 : 3 of the old limits (.01-.03 of the loss, .05-.15 of the norm) and 1 : 5 of the old alarm
(.25 against .05) are kept, the unit is what is usual here. Besides, an update refused for a
non-finite gradient is an emergency, which the old rule, fed with finite numbers only, never saw.
An emergency holds until the next evaluation, then the ordinary rule speaks again.
"""

import random
from dataclasses import asdict, dataclass, field
from statistics import fmean, median, pstdev
from typing import Any


@dataclass(frozen=True)
class City:
    """A place on the path: how steady it is (0 to 1) and what it does."""

    name: str
    stability: float
    lr_scale: float
    clip_scale: float


CITIES = (
    City("explore", 0.0, 1.5, 2.0),
    City("active", 0.25, 1.2, 1.5),
    City("stabilize", 0.5, 1.0, 1.2),
    City("finetune", 0.75, 0.8, 1.0),
    City("converge", 1.0, 0.1, 1.0),
)
"""The scale of the last one is that of the report's log: .005 used where .05 was scheduled."""
START = 2
WINDOW = 10
"""Updates between two evaluations, and in what each sees."""
CALM, WILD, ALARM = 1.0, 3.0, 5.0
"""CVs in their unit: no pressure, full pressure, emergency."""
KEPT, TRAVEL, DWELL, HYSTERESIS = 0.8, 0.35, 15, 0.10
LOW_PRESSURE, PLATEAU, STAGNATION = 0.25, 5, 1e-3
BOLDEST, LEAST_BOLD, BOLDNESS_ENDS = 0.30, 0.05, 100
"""The share of random moves falls from the first to the second over so many evaluations."""


@dataclass
class State:
    """All that must be kept for the path to go on as it would have."""

    city: int = START
    pressure: float = 0.0
    since: int = 0
    """Updates since the last move."""
    stagnant: int = 0
    """Evaluations in a row at which the loss had not fallen."""
    evaluations: int = 0
    refused: bool = False
    before: float | None = None
    """Mean loss of the window before."""
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    usual_loss: list[float] = field(default_factory=list)
    usual_norm: list[float] = field(default_factory=list)
    """CVs of the last windows."""


class PathController:
    """``observe`` every update; ``city`` says what to scale the next one by."""

    MEMORY = 50
    """Windows that say what is usual."""
    LOSS_UNIT: float | None = None
    NORM_UNIT: float | None = None
    """The CVs that count as calm; None: what is usual in this run."""

    def __init__(self, seed: int) -> None:
        self.seed, self.state = seed, State()

    @property
    def city(self) -> City:
        """Where the path is now."""
        return CITIES[self.state.city]

    def observe(self, loss: float, norm: float, refused: bool) -> None:
        """Take in one update; a refused one has no loss or norm to learn from."""
        state = self.state
        state.since += 1
        state.refused |= refused
        if not refused:
            state.losses.append(loss)
            state.norms.append(norm)
        if len(state.losses) == WINDOW or (refused and state.city != len(CITIES) - 1):
            self._evaluate()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self.state)

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.state = State(**kept)

    def _evaluate(self) -> None:
        """Decide where to go; all randomness is a function of the seed and the evaluation."""
        state = self.state
        state.evaluations += 1
        wild_loss = self._wildness(state.losses, state.usual_loss, self.LOSS_UNIT)
        wild_norm = self._wildness(state.norms, state.usual_norm, self.NORM_UNIT)
        alarm = state.refused or wild_norm > ALARM
        self._notice_plateau()
        pressure = max(_rescaled(wild_loss), _rescaled(wild_norm))
        if state.stagnant and pressure < LOW_PRESSURE:
            pressure = 0.0
        state.pressure = KEPT * state.pressure + (1 - KEPT) * pressure
        state.losses, state.norms, state.refused = [], [], False
        if alarm:
            self._move(len(CITIES) - 1)
        elif state.stagnant >= PLATEAU:
            state.stagnant = 0
            self._move(0)
        elif state.since >= DWELL:
            self._move(self._next())

    def _wildness(self, values: list[float], usual: list[float], unit: float | None) -> float:
        """The CV of ``values`` in ``unit``, else in the median of ``usual``, which it joins."""
        if len(values) < WINDOW:
            return CALM
        variation = pstdev(values) / max(fmean(values), 1e-12)
        if unit is None:
            unit = median(usual) if usual else variation
        usual[:] = [*usual, variation][-self.MEMORY :]
        return variation / max(unit, 1e-12)

    def _notice_plateau(self) -> None:
        state = self.state
        if not state.losses:
            return
        now = fmean(state.losses)
        fell = state.before is None or now < state.before - STAGNATION * abs(state.before)
        state.stagnant = 0 if fell else state.stagnant + 1
        state.before = now

    def _next(self) -> int:
        """The city nearest to the pressure, counting the way there; sometimes a random one."""
        state = self.state
        dice = random.Random(f"{self.seed} {state.evaluations}")
        gone = min(1.0, state.evaluations / BOLDNESS_ENDS)
        if dice.random() < BOLDEST + (LEAST_BOLD - BOLDEST) * gone:
            return dice.randrange(len(CITIES))

        def cost(city: int) -> float:
            way = abs(CITIES[city].stability - self.city.stability)
            return abs(CITIES[city].stability - state.pressure) + TRAVEL * way

        best = min(range(len(CITIES)), key=cost)
        return best if cost(best) < cost(state.city) - HYSTERESIS else state.city

    def _move(self, city: int) -> None:
        if city != self.state.city:
            self.state.city, self.state.since = city, 0


def _rescaled(wildness: float) -> float:
    """0 at the usual variation, 1 at three times it."""
    return min(1.0, max(0.0, (wildness - CALM) / (WILD - CALM)))
