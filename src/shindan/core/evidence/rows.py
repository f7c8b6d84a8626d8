"""The rows a run was trained and evaluated on: their order, repeats, and overlap of splits."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class RowOrder(Evidence):
    """In which order training rows came.

    ``repeated`` rows were seen before; of those with a repeated successor in another batch,
    ``followed`` have the same successor as before (1 is the same order again, 1 / rows is
    shuffled; None when too few).
    ``icc`` is the intra-class correlation of bags of tokens within batches, the row's length
    regressed out (0: batches are random draws); ``excess`` its F ratio's distance from 1 in
    standard errors; ``drift`` the lag-1 autocorrelation of the batch means over ``groups``
    batches. ``stream`` is the share of rows that begin with the token which the row before them
    (in the batch, or in the batch before) was to predict last: contiguous text.
    ``sampler`` and ``map_style`` describe the DataLoader; ``asked`` a setting named shuffle;
    ``curriculum``: the script speaks of an order that is meant (or of rows its model writes);
    ``shuffles``: the sampler's own word on it (None: it says nothing).
    """

    batches: int
    rows: int
    repeated: int
    followed: float | None
    icc: float | None
    excess: float
    drift: float
    groups: int
    stream: float
    sampler: str | None = None
    map_style: bool | None = None
    asked: bool | None = None
    curriculum: bool = False
    file: str | None = None
    line: int | None = None
    shuffles: bool | None = None


@dataclass(frozen=True)
class RowRepeats(Evidence):
    """Rows that occur more than once within one pass over the data.

    ``rows`` seen in the first pass, ``distinct`` of them; ``most`` the count of the commonest.
    ``beyond_chance`` is the share of the rows that repeat another and hold more information
    (nats, under the run's own bigram counts) than two rows could share by chance
    (2 ln rows + 10). ``entropy`` is that information per token. ``scatter`` is the variance of
    the counts over what draws with replacement from equal rows would give (0: every row exactly
    as often; about 1: such draws; more: some rows far oftener). ``pass_known``: the pass is an
    epoch of a DataLoader over a map-style dataset; ``replacement``: its sampler replaces.
    ``workers`` processes each read an iterable dataset; ``alike``: share of their turns in which
    all of them handed out the same batch (None: too few turns, or no such workers).
    """

    rows: int
    distinct: int
    most: int
    beyond_chance: float
    entropy: float
    length: float
    scatter: float
    pass_known: bool
    replacement: bool = False
    file: str | None = None
    line: int | None = None
    workers: int = 0
    alike: float | None = None


@dataclass(frozen=True)
class EvalGroup:
    """Evaluation batches of one place in the script.

    ``overlap`` is the mean share of a batch's n-grams that were trained on, ``lowest`` the first
    decile over batches; ``says`` which split the script's own words name (train, val, test, empty).
    """

    says: str
    batches: int
    ngrams: int
    overlap: float
    lowest: float
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class SplitOverlap(Evidence):
    """Evaluation rows against training rows.

    ``expected`` is the share of n-grams of a fresh row that training rows would hold by chance,
    boilerplate and repetition (Good and Turing: one minus the share seen once in one pass).
    ``between`` is the same with every different row taken once; it stands for ``expected`` where
    rows are drawn with replacement (``redrawn``: their counts scatter as such draws do).
    """

    n: int
    train_ngrams: int
    expected: float
    groups: tuple[EvalGroup, ...]
    between: float = 1.0
    redrawn: bool = False
