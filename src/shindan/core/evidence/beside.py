"""What the numbers of a log say when they are held beside one another, or beside known values."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class AtChance(Evidence):
    """The training loss comes to rest at ln ``classes`` and was never clearly below.

    ``level`` is the mean of the last third of its ``points`` values, ``error`` half its 95 %
    interval (slow noise included), ``first`` the mean of the first twelfth; ``chance`` that a loss
    of no such origin stands as near to any of these lines.
    """

    name: str
    classes: int
    at: float
    level: float
    error: float
    first: float
    points: int
    chance: float


@dataclass(frozen=True)
class RisenToLine(Evidence):
    """The loss ``name`` rose from ``first`` to ln V and stays there, ``rows`` rows.

    ``vocabularies`` are the sizes V that fit, the nearest first; ``at`` is ln of that.
    """

    name: str
    vocabularies: tuple[int, ...]
    at: float
    level: float
    first: float
    rows: int


@dataclass(frozen=True)
class TwoMeans(Evidence):
    """Two columns of a log that ought to be one quantity, in the ratio ``ratio`` (median).

    ``how``: ``sum``, the training loss is a multiple of the validation loss at every evaluation;
    ``above``, the same where the larger one is above ln of any vocabulary; ``part``, the
    validation loss is a multiple of the training loss within the first epoch; ``perplexity``, the
    loss is a multiple of the logarithm of the perplexity beside it; empty where nothing is told.
    ``low`` and ``high`` are the smallest and largest ratio of the ``points``, ``one`` and
    ``other`` the columns, ``a`` and ``b`` the last values of the two.
    """

    how: str = ""
    one: str = ""
    other: str = ""
    points: int = 0
    ratio: float = 1.0
    low: float = 1.0
    high: float = 1.0
    a: float = 0.0
    b: float = 0.0


@dataclass(frozen=True)
class Repeats(Evidence):
    """Whether the losses of an epoch are those of the epoch before, figure by figure.

    ``same`` losses equal the one a ``period`` of rows (one epoch) earlier: all that have such a
    one; ``different`` values are among them. Zero: they do not.
    """

    column: str
    period: int = 0
    same: int = 0
    different: int = 0


@dataclass(frozen=True)
class FarNorms(Evidence):
    """Norms of a log without a stated limit, of which none is below FAR (``logs/norms.py``).

    ``default`` is the limit that the log's writer takes where nobody sets one.
    """

    column: str
    rows: int
    lowest: float
    norm: float
    default: float
