"""Token ids: their range, where they came from, which tokenizer they belong to."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class IdCrash(Evidence):
    """The script stopped at a look-up or a loss whose ids do not fit.

    ``kind``: embedding (``size`` rows) or target (``size`` classes); ``lowest`` and ``highest``
    of the ids at that moment; ``outside`` how many of ``count`` do not fit; ``module`` the
    owner's name. ``positions``: the ids count positions, not tokens.
    """

    kind: str
    size: int
    lowest: int
    highest: int
    outside: int
    count: int
    positions: bool = False
    module: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class IdUse(Evidence):
    """Which ids were trained, and how they relate to evaluation.

    ``classes`` of the head, ``used`` different targets among ``tokens``; ``highest`` of them;
    ``unseen`` is the share of evaluation targets whose id was never a training target;
    ``expected`` the same for fresh training data (Good and Turing: share of targets seen once).
    """

    classes: int
    used: int
    tokens: int
    highest: int
    eval_tokens: int
    unseen: float
    expected: float


@dataclass(frozen=True)
class Source:
    """An array, tensor or list of the script in which rows of the training input were found.

    ``modulus`` is 0 when they were found as they are, else found only after ``% modulus``;
    ``beyond`` the share of the array's ids that are not below that modulus. ``capacity`` is how
    many different ids its integer type can hold, ``lowest`` and ``highest`` its ids (of at most
    the first few million).
    """

    name: str
    kind: str
    dtype: str
    capacity: int
    size: int
    lowest: int
    highest: int
    rows: int
    modulus: int
    beyond: float


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer found in the run: ``size`` is how many ids it has, added tokens included."""

    kind: str
    size: int


@dataclass(frozen=True)
class IdSources(Evidence):
    """Where training ids came from, and the tokenizers in the run.

    ``beyond_tokenizer`` is the share of training targets that are no id of the only tokenizer,
    ``beyond_used`` how many different ones.
    """

    classes: int
    sources: tuple[Source, ...]
    tokenizers: tuple[Vocabulary, ...] = ()
    beyond_tokenizer: float = 0.0
    beyond_used: int = 0
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class SourceOverlap(Evidence):
    """The arrays from which training and evaluation rows were cut, against each other.

    They may be one and the same (``train`` equals ``evaluation``): a split by position.

    ``overlap`` is the share of the evaluation array's n-grams that occur in the training array,
    ``expected`` how often an n-gram of the training array repeats inside it; ``shared``: the
    arrays are views of overlapping memory. ``hits`` of the ``trained`` n-grams sampled from the
    training rows lie in the evaluation array, ``due`` would if rows were drawn evenly from all of
    the training array.
    """

    train: str
    evaluation: str
    overlap: float
    expected: float
    ngrams: int
    shared: bool
    n: int
    trained: int
    hits: int
    due: float
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class SharedGroup:
    """Evaluation of one place in the script against one source (see ``SharedSource``).

    ``says`` which split the script's own words name; ``inside`` the share of its n-grams that
    stand in the source. Of them ``single`` stand there only once, so that their place in it is
    known; ``hits`` of these were trained on too, in ``hit_batches`` of the ``batches``.
    """

    says: str
    batches: int
    ngrams: int
    inside: float
    single: int
    hits: int
    hit_batches: int
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class SharedSource(Evidence):
    """One file, array or list in which both training and evaluation rows stand.

    ``repeats`` is how often an n-gram of it repeats inside it; ``trained`` the share of the
    n-grams that stand in it once which training has read; ``models`` how many were trained.
    """

    source: str
    size: int
    n: int
    repeats: float
    trained: float
    models: int
    groups: tuple[SharedGroup, ...]
