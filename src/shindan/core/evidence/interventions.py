"""What moved when one thing of the batch was changed and the model called again."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class AttentionCall:
    """One attention call of a replay.

    ``length`` is the number of keys. ``future`` is the weight on keys after the query (softmax
    written out) or the share of such keys left open by the mask (fused calls), 0 to 1; None when
    queries and keys are not the T positions.
    """

    kind: str
    where: Where
    length: int
    future: float | None = None


@dataclass(frozen=True)
class WrongAxis:
    """A softmax whose result is summed with values over another axis than it was taken along.

    ``taken`` and ``used`` are the axes (counted from the right, -1 is the last), ``error`` the
    mean distance from 1 of the weights that each output really sums.
    """

    where: Where
    shape: tuple[int, ...]
    taken: int
    used: int
    error: float


@dataclass(frozen=True)
class Scramble:
    """A view or reshape that moves the T axis across the heads without a transpose."""

    where: Where
    before: tuple[int, ...]
    after: tuple[int, ...]
    heads: int


@dataclass(frozen=True)
class AttentionAudit(Evidence):
    """All attention calls of one replay in eval mode, and what is wrong with their shapes.

    ``length`` and ``batch`` are T and B of the replayed batch; ``context`` is how much logits
    move when only other positions of their row are changed, relative to their own change (None:
    not measured).
    """

    length: int
    batch: int
    calls: tuple[AttentionCall, ...]
    wrong_axis: tuple[WrongAxis, ...] = ()
    scrambles: tuple[Scramble, ...] = ()
    context: float | None = None


@dataclass(frozen=True)
class FutureProbe(Evidence):
    """Tokens from t on were changed (t differs by row); how far did logits move before t?

    ``lag``: the labels are the inputs that many positions later, None when they are not (an
    encoder). ``before`` is the largest mean |change of logits| at a position before t whose label
    counts, ``after`` the mean from t on; ``module`` the first module whose output moved before t.
    """

    lag: int | None
    before: float
    after: float
    positions: int
    module: str | None = None

    @property
    def leak(self) -> float:
        """Movement before t relative to the movement after it; exactly 0 when nothing leaks."""
        return self.before / self.after if self.after else 0.0


@dataclass(frozen=True)
class PaddingProbe(Evidence):
    """The content of padding was changed; how far did the logits of real tokens move?

    ``pads`` is the median |change| of real positions when padding is changed, ``reals`` the same
    when as many real tokens are; ``pad_id``, ``share`` of the batch that is padding, ``side``
    where it stands, ``mask`` the forward's parameter that says so (None: no argument does).
    ``known`` tells without such a parameter that a mask was meant all the same: ``unused`` when
    the model makes one and does nothing with it, else the name of one that the script holds.
    ``turned``: ``reals`` again, with every value of the mask turned to its opposite (None: not
    asked, because tokens read each other as it is).
    """

    pad_id: int
    share: float
    side: str
    mask: str | None
    lag: int | None
    pads: float
    reals: float
    attention: AttentionCall | None
    known: str = ""
    turned: float | None = None


@dataclass(frozen=True)
class BatchProbe(Evidence):
    """All rows but the last were changed; how far did the last row's logits move?

    ``moved`` and ``others`` are mean |change| of the last row and of the changed ones, ``share``
    the share of the last row's positions that moved; ``certain`` whether the data itself shows
    which axis is time; ``attention`` an attention call over as many keys as there are rows.
    """

    moved: float
    others: float
    share: float
    certain: bool
    rows: int
    length: int
    attention: AttentionCall | None = None
    module: str | None = None


@dataclass(frozen=True)
class DocumentProbe(Evidence):
    """The first document of packed rows was changed; how far did the later ones move?

    ``signal`` is what says that documents are apart (``document ids`` or ``positions``) and
    ``name`` the argument that holds it. ``moved`` is the mean |change| of the following
    documents' logits, ``own`` that of the changed document.
    """

    signal: str
    name: str
    documents: int
    moved: float
    own: float
    where: Where = NOWHERE


@dataclass(frozen=True)
class ShiftProbe(Evidence):
    """Left-padded rows were rolled so that the padding stands on the right.

    ``moved`` is the mean |change| of the logits of the same tokens, ``spread`` the mean distance
    of logits from their mean over positions; ``eps`` the precision of the logits' type;
    ``table`` the position table whose indices moved with the padding, if one was seen.
    """

    rows: int
    moved: float
    spread: float
    eps: float
    where: Where = NOWHERE


@dataclass(frozen=True)
class RandomCall:
    """A dropout that acts in eval mode.

    ``deliberate``: the source around it says that this is meant (Monte Carlo dropout).
    """

    kind: str
    p: float
    where: Where
    deliberate: bool = False


@dataclass(frozen=True)
class DeterminismProbe(Evidence):
    """Two calls in eval mode that differ only in the random numbers.

    ``moved`` is the mean |difference| of their logits, ``spread`` as in :class:`ShiftProbe`.
    """

    moved: float
    spread: float
    calls: tuple[RandomCall, ...] = ()
