"""What a log that already exists says: its columns, its steps, and what its numbers do.

A *step* is the log's own count (``LogProgress.unit`` says of what); a *row* a line or record of
it; an *update* one step of the optimizer. Places are lines (or record numbers) of the file.
"""

import math
from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.trend import Rise
from shindan.core.finding import NOWHERE, Where

Why = Literal["named", "behaves", "set", "derived"]
"""How a role was found: by the column's name, by its numbers too, by the user, or computed."""


@dataclass(frozen=True)
class Role:
    """``column`` is taken as ``name`` (``loss``, ``lr``, ``grad_norm`` ...)."""

    name: str
    column: str
    why: Why = "named"


@dataclass(frozen=True)
class LogColumns(Evidence):
    """What each column was taken for; ``others`` were kept and not judged.

    ``objective`` is ``language`` where the training loss may be a mean negative log-likelihood,
    ``reward`` for reinforcement learning, ``adversarial`` for opponents, ``signed`` where losses
    are below zero. ``averaged``: the loss column is a running mean. ``hides_nan``: its writer
    replaces losses that are not finite (Hugging Face's ``logging_nan_inf_filter``).
    """

    format: str
    rows: int
    roles: tuple[Role, ...]
    others: tuple[str, ...] = ()
    objective: str = "language"
    averaged: bool = False
    hides_nan: bool = False

    def of(self, name: str) -> str | None:
        """The column with that role."""
        return next((r.column for r in self.roles if r.name == name), None)


@dataclass(frozen=True)
class Return:
    """The step went back: after ``before`` comes ``at``; ``again`` rows were written again."""

    before: float
    at: float
    again: int
    where: Where = NOWHERE


@dataclass(frozen=True)
class LogProgress(Evidence):
    """How the log counts.

    ``interval`` steps typically lie between two rows with a loss, ``per_update`` steps belong to
    one update (1: a step is an update; more: micro-steps). ``updates`` the log spans. ``twice``
    rows repeat the step before them; ``missing`` rows are absent between ``first`` and ``last``,
    in ``gaps`` places. ``planned`` steps were meant, where the log says so.
    """

    unit: str
    rows: int
    first: float
    last: float
    interval: float
    per_update: int = 1
    updates: int = 0
    twice: int = 0
    missing: int = 0
    gaps: int = 0
    gap: Where = NOWHERE
    double: Where = NOWHERE
    returns: tuple[Return, ...] = ()
    restarts: int = 0
    """Times a counter of updates began anew while the steps went on."""
    planned: float | None = None
    passes: int = 0
    """Times the count began anew and the run went on: it is of an epoch, and was counted on."""

    @property
    def late(self) -> bool:
        """Whether the log begins in the middle of its run."""
        return self.unit != "row" and self.first > 2 * max(self.interval, self.per_update)


@dataclass(frozen=True)
class NotFinite:
    """Values of one column that are not finite: ``count`` of ``of``, the ``lasting`` last ones."""

    role: str
    column: str
    count: int
    of: int
    lasting: int
    step: float
    where: Where = NOWHERE


@dataclass(frozen=True)
class Hidden:
    """Losses that stand still exactly, from ``step`` on, ``count`` rows to the end of the log.

    ``zero``: the loss is exactly 0 after ``before``; ``frozen``: a mean that repeats itself to
    the last figure. ``norms`` of the gradient there are ``nonfinite``, ``zero``, ``finite`` or
    ``unknown``.
    """

    how: Literal["zero", "frozen"]
    column: str
    step: float
    count: int
    before: float
    norms: str
    where: Where = NOWHERE


@dataclass(frozen=True)
class LogFinite(Evidence):
    """Numbers that are not finite, and losses that hide such.

    ``constant`` is the one value of the loss where all ``of`` rows have the very same.
    """

    broken: tuple[NotFinite, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    of: int = 0
    constant: float | None = None
    column: str = ""


@dataclass(frozen=True)
class RateAtResume:
    """The rates before and after a place where the run was taken up again.

    Not ``told``: only the rate says so, it begins anew there.
    """

    step: float
    before: float
    after: float
    where: Where = NOWHERE
    told: bool = True


@dataclass(frozen=True)
class LogRates(Evidence):
    """The learning rate as logged, and what really acted where the log says that too.

    ``zero_share`` is the share of the run, at its end, with a rate at most 1e-5 of the peak,
    from ``zero_from`` on; ``peak_at`` where the peak is, as a share of the run; ``straight``: it
    rises by equal amounts to the last row. ``effective`` rows (of ``compared``) hold another rate
    than the logged one; ``logged`` and ``used`` from one of them.
    """

    column: str
    rows: int
    first: float
    peak: float
    last: float
    peak_at: float
    zero_share: float = 0.0
    zero_from: float = 0.0
    straight: bool = False
    rises: bool = False
    compared: int = 0
    differing: int = 0
    logged: float = 0.0
    used: float = 0.0
    effective: str = ""
    where: Where = NOWHERE
    resumed: tuple[RateAtResume, ...] = ()
    still: int = 0
    """Evaluations that repeat each other to the last figure while every rate shown is zero."""

    @property
    def left(self) -> float:
        """The last rate as a share of the largest."""
        return self.last / self.peak if self.peak > 0 else 1.0


@dataclass(frozen=True)
class LogClip(Evidence):
    """Gradient norms against the limit they were clipped to.

    ``norm`` is the median of ``column``; ``active`` of ``rows`` norms were above their limit.
    ``limit`` is the median limit, ``limit_from`` a column or a setting. ``same``: in all rows the
    norm logged as clipped equals the one before clipping. ``bound`` is what all updates together
    can have moved the weights (L2), the sum of limit times rate, under plain SGD.
    """

    column: str
    rows: int
    norm: float
    highest: float
    limit: float
    limit_from: str
    active: int
    raw: str = ""
    same: bool = False
    above: int = 0
    """Rows in which the norm said to be clipped is above its limit."""
    bound: float | None = None
    after: bool = False
    """The only norm logged is the one after clipping: ``active`` rows lie at the limit itself."""
    where: Where = NOWHERE


@dataclass(frozen=True)
class LogScale(Evidence):
    """The GradScaler's scale: ``falls`` in a row at the end, to ``last``.

    ``refused`` of the rows of this fall, which began at ``fell_from``, tell of a refused update.
    """

    column: str
    rows: int
    first: float
    highest: float
    last: float
    falls: int
    where: Where = NOWHERE
    refused: int = 0
    fell_from: float = math.inf


@dataclass(frozen=True)
class LogController(Evidence):
    """A controller's states against what it looks at.

    ``share`` of the rows are in ``state``, the commonest; ``changes`` between rows. ``input_*``
    are the coefficients of variation of the gradient norm over windows of ``window`` rows;
    ``beyond`` of ``windows`` exceed ``limit``, the controller's own emergency threshold. ``factor``
    is what it makes of the learning rate in the commonest state, where the log says so.
    """

    column: str
    rows: int
    state: str
    share: float
    states: int
    changes: int
    window: int = 0
    windows: int = 0
    beyond: int = 0
    limit: float = 0.0
    lowest: float = 0.0
    middle: float = 0.0
    factor: float | None = None
    where: Where = NOWHERE


@dataclass(frozen=True)
class LogEpochs(Evidence):
    """A log too short for a trend, a row an epoch say: its evaluations beside its training losses.

    ``first`` is the first training loss.
    """

    rise: Rise
    first: float


@dataclass(frozen=True)
class LogCurve(Evidence):
    """The series to draw, thinned, each a tuple of (step, value); ``unit`` of the steps."""

    unit: str
    loss: tuple[tuple[float, float], ...] = ()
    evals: tuple[tuple[float, float], ...] = ()
    lr: tuple[tuple[float, float], ...] = ()
    used_lr: tuple[tuple[float, float], ...] = ()
    norms: tuple[tuple[float, float], ...] = ()
    limit: float | None = None
    spikes: tuple[tuple[float, float], ...] = ()
    best: tuple[float, float] | None = None
