"""What the loss counts, and how it relates to what the model was given."""

from dataclasses import dataclass
from typing import Literal

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where

Relation = Literal["causal", "masked", "copied", "shifted", "other"]
"""``causal``: labels are the next token; ``masked``: the original tokens, some of them hidden in
the input; ``copied``: exactly the input at the same position; ``shifted``: at another distance."""


@dataclass(frozen=True)
class LagShare:
    """Share of counted labels that equal the input ``lag`` positions on, and their mean loss.

    ``ce``: cross-entropy in nats per token of the replayed logits against those tokens.
    """

    lag: int
    share: float
    pairs: int
    ce: float | None = None


@dataclass(frozen=True)
class Objective(Evidence):
    """What the model is asked to predict.

    ``lag``: the distance at which labels equal inputs (None: at none). ``reach``: the furthest
    token, relative to its own position, that moves a prediction when it is replaced (0 for a
    causal model, -1 when the model shifts its input itself, 1 or more when it sees the future;
    None: not measured). ``alias_id``: an id that is the mask in the input and also a label;
    ``alias_share``: its share of the counted labels.
    """

    relation: Relation
    lag: int | None
    reach: int | None
    lags: tuple[LagShare, ...]
    tokens: int
    counted: int
    alias_id: int | None = None
    alias_share: float = 0.0
    where: Where = NOWHERE


@dataclass(frozen=True)
class LabelCensus(Evidence):
    """Counted labels by what they are; all are numbers of tokens unless said.

    ``padding``: positions that are padding; ``padding_counted``: labels that are padding,
    predicted from padding. ``stray_value``: a
    constant that stands where the true token is another (``stray_ids`` different true tokens).
    ``dropped_id``: the loss's ignore_index where it is a token inside the text, ``dropped_name``
    what a vocabulary of the run calls it. ``crash_value``: the target a loss function refused.
    """

    relation: Relation
    rows: int
    tokens: int
    counted: int
    ignore_index: int
    pad_id: int | None = None
    padding: int = 0
    padding_counted: int = 0
    stray_value: int | None = None
    stray_counted: int = 0
    stray_ids: int = 0
    dropped_id: int | None = None
    dropped: int = 0
    dropped_name: str = ""
    crash_value: int | None = None
    where: Where = NOWHERE


@dataclass(frozen=True)
class EndOfText(Evidence):
    """Whether a text's end is ever a label.

    ``ended_rows``: rows that evidently end with a token of the padding's id which is no padding,
    ``absent_rows``: rows that evidently do not; ``named``: who calls padding and end of text by
    this one id; ``counted``: counted labels of that id; ``padded_rows``: rows that hold padding.
    """

    pad_id: int
    rows: int
    padded_rows: int
    ended_rows: int
    absent_rows: int
    counted: int
    named: Literal["script", "tokenizer", ""] = ""
    where: Where = NOWHERE


@dataclass(frozen=True)
class RowStarts(Evidence):
    """How rows begin: all but a few of ``rows`` with the token ``id``.

    ``run``: how often it stands there, one after the other, in ``same`` of the rows (the
    commonest number); ``elsewhere``: how many of it stand further on; ``name``: what the run
    calls it (bos, cls, ...; empty: it has no name for it).
    """

    rows: int
    id: int
    run: int
    same: int
    elsewhere: int
    name: str = ""
    where: Where = NOWHERE


@dataclass(frozen=True)
class SpecialShare:
    """A special id: how often it stands in the text and how often it is a counted label.

    ``name`` is the run's own name for it (``cls``, ``sep``, ``pad``, ...).
    """

    id: int
    name: str
    positions: int
    counted: int


@dataclass(frozen=True)
class Corruption(Evidence):
    """How a masked language model's input was corrupted.

    ``tokens``: content positions (no padding, no specials), ``counted`` labels among them, of
    which the input was the mask (``masked``), the label itself (``kept``) or another id
    (``other``; ``other_special``: a special one). ``spread``: variance of the counted number per
    row (of the masked one, where all count) over the binomial one: 1 when every token is chosen by
    itself, 0 when each row has the same number, large when the rate itself is drawn per row.
    ``library_collator``: a
    library's own collator draws the masks; its random words come from the whole vocabulary.
    """

    mask_id: int
    tokens: int
    counted: int
    masked: int
    kept: int
    other: int
    other_special: int
    spread: float
    rows: int
    specials: tuple[SpecialShare, ...] = ()
    library_collator: bool = False
    where: Where = NOWHERE


@dataclass(frozen=True)
class MaskRepeats(Evidence):
    """Whether a row that comes again is masked anew.

    ``repeats``: pairs of one row's successive visits; ``same``: those with the same positions;
    ``rows``: different rows that came again; ``patterns``: different sets of positions among
    them; ``visits``: the mean number of visits of such a row; ``fixed_ids``: share of tokens
    whose id is either always or never masked (a rule, not a draw).
    """

    rows: int
    repeats: int
    same: int
    patterns: int
    visits: float
    fixed_ids: float
    where: Where = NOWHERE


Meant = Literal["labels", "mask", "length", "setting", "rows", "words", "none"]
"""What shows that the author meant to leave the prompt out: labels in the batch that ignore it, a
mask or a length in the batch, a setting, rows where the mask worked, the words of the script."""


@dataclass(frozen=True)
class PromptCensus(Evidence):
    """Counted labels that belong to a prompt.

    ``meant`` and ``name``: what shows it to be a prompt (:data:`Meant`); ``marker``: the id that
    stands once in nearly every row between prompt and answer; ``deliberate``: the script's
    sources say that all of a row is trained on.
    """

    rows: int
    counted: int
    prompt_counted: int
    meant: Meant
    name: str = ""
    marker: int | None = None
    where: Where = NOWHERE
    deliberate: bool = False
