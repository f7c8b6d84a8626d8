"""Where a loss series is going, with its own noise taken into account (derived from ``Curve``)."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence

CHANCE = 0.05
"""An order of a few losses that is rarer without a trend shows one."""


@dataclass(frozen=True)
class Slope:
    """A line fitted to a stretch of the series, standard errors with autocorrelation (HAC).

    ``change`` is the fitted change over the whole stretch (nats), ``low`` and ``high`` its 95 %
    interval; ``t`` the statistic of the slope, ``t_independent`` what it would be were the errors
    independent (ordinary least squares).
    """

    change: float
    low: float
    high: float
    t: float
    t_independent: float = 0.0


@dataclass(frozen=True)
class Spike:
    """The loss stood ``height`` above what was usual before, for ``lasted`` updates in a row.

    ``usual`` and ``noise`` are median and robust sd of the updates before it.
    """

    update: int
    height: float
    usual: float
    noise: float
    lasted: int
    recovered: bool


@dataclass(frozen=True)
class Jump:
    """The mean loss before and after a checkpoint was loaded into the model being trained.

    ``error`` is the standard error of the difference; ``window`` how many micro-steps a side.
    Not ``loaded``: in the middle of a run, where nothing tells of a load.
    """

    update: int
    before: float
    after: float
    error: float
    window: int
    loaded: bool = True
    goes_on: float = 0.0
    """What the loss would have fallen by, had it gone on as on the side before."""


@dataclass(frozen=True)
class Rise:
    """Validation against training: losses at the best validation and at the end."""

    best: float
    best_update: int
    last: float
    first: float
    points_after: int
    train_at_best: float
    train_last: float
    climb: float = 1.0
    """Chance that the evaluations after the best are so well in rising order without a trend
    (Kendall's tau, one-sided; 1 below four of them)."""
    scatter: float = 0.0
    """Sd of one evaluation around its own trend, from second differences since the best."""
    apart: float = 1.0
    """Chance that evaluations in no order stand so that all after the best are above those up to
    it that are counted (1 below three of these or four of those)."""


@dataclass(frozen=True)
class FewLosses(Evidence):
    """The losses of a log too short for a trend.

    ``start`` and ``end`` are the means of its first and last third, ``rising`` and ``falling``
    the chances of their order without a trend (Kendall's tau, one-sided). From step ``parted`` on
    no loss is below ``above``, before it none above ``below``: the place where these are furthest
    apart.
    """

    series: str
    points: int
    start: float
    end: float
    rising: float
    falling: float
    parted: int
    below: float
    above: float

    @property
    def decides(self) -> bool:
        """Falling or rising in order (two-sided CHANCE), or parted."""
        return self.doubled or 2 * min(self.falling, self.rising) <= CHANCE

    @property
    def doubled(self) -> bool:
        """Whether from one row on every loss is above twice the highest before."""
        return 0 < 2 * self.below < self.above


@dataclass(frozen=True)
class Evaluations(Evidence):
    """The validation losses of a log, by ranks.

    ``start`` and ``end`` are the means of the first and last third, ``rising`` and ``falling`` the
    chances of their order without a trend (Kendall's tau), ``alike`` the chance that neighbours
    are as alike as these were the values independent (the rank version of von Neumann's ratio,
    Bartels 1982); all one-sided.
    """

    series: str
    points: int
    start: float
    end: float
    rising: float
    falling: float
    alike: float

    @property
    def decides(self) -> bool:
        """They stand in an order, or go up and down like a curve."""
        return 2 * min(self.falling, self.rising) <= CHANCE or self.alike <= CHANCE


@dataclass(frozen=True)
class LossTrend(Evidence):
    """One value per update: token-weighted cross-entropy of its micro-steps, else its mean loss.

    ``blocks`` are the means of equal stretches in order, ``first`` the very first value;
    ``noise`` the robust sd from update to
    update. Slopes are fitted only where the size of the effect leaves a question (None: it does
    not); ``tail`` is over the last third, ``quarter`` over the last quarter; ``above`` is the
    share of the last third's values beyond the 95th percentile of the better third before it.
    ``needed`` further updates would bring the interval of the whole change within ``RESOLVED``
    of the start. ``lr_left`` is the last learning rate as a share of the largest (NaN: unknown).
    A log may hold fewer ``points`` than its run made ``updates``; then spikes last so many points,
    and places are told on the log's own axis.
    """

    series: str
    updates: int
    blocks: tuple[float, ...]
    noise: float
    whole: Slope | None = None
    tail: Slope | None = None
    above: float = 0.0
    first: float = float("inf")
    quarter: Slope | None = None
    needed: int = 0
    lr_left: float = 1.0
    nonfinite: int = 0
    spikes: tuple[Spike, ...] = ()
    jumps: tuple[Jump, ...] = ()
    rise: Rise | None = None
    points: int = 0
    lowest_late: float = float("inf")
    """The lowest single value of the last third."""
    scatter: float = 0.0
    """Sd of one value about the curve, slow noise included, which ``noise`` does not see."""

    @property
    def start(self) -> float:
        """Mean of the first stretch."""
        return self.blocks[0]

    @property
    def end(self) -> float:
        """Mean of the last stretch."""
        return self.blocks[-1]

    @property
    def best(self) -> float:
        """The lowest stretch."""
        return min(self.blocks)


@dataclass(frozen=True)
class Loads(Evidence):
    """Micro-step numbers at which weights were loaded into a model trained before and after."""

    at: tuple[int, ...] = ()
