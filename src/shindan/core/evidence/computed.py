"""What the model computes: scores, sums of embeddings, the two ends, weights at first sight."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class ScoreSite:
    """One attention: how the products of queries and keys were scaled before the softmax.

    ``scale`` is everything that multiplied q.k from the projections to the softmax; ``factors``
    the constants it is made of; ``d_head`` the contracted dimension, ``d_model`` the width the
    queries were projected from; ``q_rms`` and ``k_rms`` the projections before any scaling.
    ``plain`` is false when something else took part (learned temperature, norms, an unknown
    operation): then ``scale`` says nothing. ``fused`` for scaled_dot_product_attention, ``biased``
    when more than a mask was added to the scores (relative positions).
    """

    module: str
    d_head: int
    d_model: int
    scale: float
    factors: tuple[float, ...]
    q_rms: float
    k_rms: float
    plain: bool
    fused: bool = False
    file: str | None = None
    line: int | None = None
    biased: bool = False


@dataclass(frozen=True)
class AttentionScores(Evidence):
    """Every attention of one replay of the first look, in order of execution.

    ``mup`` when something in the run speaks of maximal update parametrisation (1/d is right there);
    ``configured`` the numbers that a library model's configuration gives for its scale.
    """

    sites: tuple[ScoreSite, ...]
    update: int = 0
    mup: bool = False
    configured: tuple[float, ...] = ()


@dataclass(frozen=True)
class EmbeddingPoint:
    """Token and position signals where they are added, as RMS around their means.

    ``token`` varies over the tokens of the batch, ``position`` over its positions. ``heeded`` is
    the mean KL divergence (nats) of the predictions when every token of the batch is replaced by
    another of it: how much the tokens matter at all (None where it could not be measured).
    """

    update: int
    token: float
    position: float
    heeded: float | None = None


@dataclass(frozen=True)
class EmbeddingSum(Evidence):
    """How token embeddings enter the model.

    ``points`` at the looks where positions were added to them (empty: none were added).
    ``unnormalised`` is the RMS of their sum at the first look when a projection or an attention
    sees it before any norm does, else None; ``tables`` how many embedding tables are summed.
    ``same_position`` when labels belong to the position of their own token (masked LM).
    """

    points: tuple[EmbeddingPoint, ...]
    unnormalised: float | None
    tables: int
    model: str
    same_position: bool | None = None
    file: str | None = None
    line: int | None = None
    consumer: str | None = None


@dataclass(frozen=True)
class Ends:
    """The token table that was looked up and the weight that made the logits, by name.

    ``shared`` when they are one storage; ``same_shape`` when they could be.
    """

    update: int
    root: str
    embedding: str
    head: str
    shared: bool
    same_shape: bool


@dataclass(frozen=True)
class TieWish:
    """A setting that asks for a tied head: where it was found, its name and value."""

    owner: str
    name: str
    value: bool


@dataclass(frozen=True)
class Ties(Evidence):
    """The two ends at the looks, and what was asked.

    ``equal_at_first`` the pairs of an embedding table and another parameter (names) that were
    different tensors with bitwise equal values before the first update; ``shared_at_first`` the
    groups of names that were one tensor then.
    """

    ends: tuple[Ends, ...]
    wishes: tuple[TieWish, ...] = ()
    equal_at_first: tuple[tuple[str, str], ...] = ()
    shared_at_first: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class InitialWeight:
    """One matrix before the first update: gain is std * sqrt(fan_in)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    std: float
    gain: float


@dataclass(frozen=True)
class InitialWeights(Evidence):
    """The trained matrices of the root before the first update.

    ``loaded`` says how they came from elsewhere (a checkpoint, a pretrained model), empty for a
    run from scratch.
    """

    weights: tuple[InitialWeight, ...]
    loaded: str = ""


@dataclass(frozen=True)
class LossSite:
    """The input of one loss function at one line, sampled.

    ``calls`` were examined; in ``probabilities`` of them every row was in [0, 1] and summed to 1.
    ``first_loss`` (nats per label) and ``first_std`` (of the logits over the classes, mean over
    rows) are of the first call, ``first_update`` the updates made before it.
    """

    kind: str
    classes: int
    calls: int
    probabilities: int
    file: str | None = None
    line: int | None = None
    first_loss: float | None = None
    first_std: float | None = None
    first_update: int = 0


@dataclass(frozen=True)
class LossInputs(Evidence):
    """What the run's training losses were given, by site."""

    sites: tuple[LossSite, ...]
