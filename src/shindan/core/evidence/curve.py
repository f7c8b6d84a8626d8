"""What every step leaves: losses, learning rates, gradient norms."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class MicroStep:
    """One ``backward``.

    ``loss`` is the tensor passed to ``backward`` with the GradScaler's scale divided out;
    ``ce`` the mean loss per counted label of the step's main language loss (nats), when one was
    seen; ``labels`` how many labels counted; ``weight`` d(total loss)/d(one label's loss), from
    the gradient at the loss node with the scale divided out; ``lr`` the first group's learning
    rate at this moment.
    """

    index: int
    update: int
    loss: float
    ce: float | None = None
    labels: int | None = None
    weight: float | None = None
    lr: float | None = None


@dataclass(frozen=True)
class Update:
    """One ``optimizer.step``.

    ``lr`` per group as used; ``grad_norm`` unscaled, before clipping; ``grad_norm_used`` after;
    ``clip`` the max_norm of the clipping, ``scale`` the GradScaler's scale; ``micro_steps`` how
    many ``backward`` calls it gathers; ``skipped`` true when the scaler refused it.
    """

    index: int
    optimizer: int
    lr: tuple[float, ...]
    micro_steps: int
    grad_norm: float | None = None
    grad_norm_used: float | None = None
    clip: float | None = None
    scale: float | None = None
    skipped: bool = False


@dataclass(frozen=True)
class EvalPoint:
    """One stretch of evaluation by the user's own code: mean loss of ``batches`` batches.

    ``update`` is the number of updates made before it. Token-weighted.
    """

    update: int
    loss: float
    batches: int
    labels: int


@dataclass(frozen=True)
class Curve(Evidence):
    """The run's series, thinned to a bounded length; ``micro`` is in order of time."""

    micro: tuple[MicroStep, ...]
    updates: tuple[Update, ...]
    evals: tuple[EvalPoint, ...] = ()
    total_micro: int = 0
    total_updates: int = 0
    ended: str = "normally"
    """``normally``, ``exception``, ``interrupted``, ``killed`` or ``running``."""


@dataclass(frozen=True)
class FixedPoint:
    """The fixed batch evaluated in eval mode after ``update`` updates (loss in nats per label).

    ``commonest`` is the share of the most common top-1 answer, ``accuracy`` top-1.
    """

    update: int
    loss: float
    accuracy: float
    commonest: float


@dataclass(frozen=True)
class Prediction:
    """Truth against the five best answers at one position of the fixed batch.

    ``truth`` and ``top`` are token ids (``text`` their decoding when a tokenizer was found);
    ``logits`` belong to ``top``; ``rank`` is the truth's rank, 1 is best.
    """

    row: int
    position: int
    truth: int
    top: tuple[int, ...]
    logits: tuple[float, ...]
    rank: int
    truth_text: str | None = None
    top_text: tuple[str, ...] = ()


@dataclass(frozen=True)
class FixedBatch(Evidence):
    """One training batch kept from the first steps, evaluated again and again."""

    points: tuple[FixedPoint, ...]
    predictions: tuple[Prediction, ...] = ()


@dataclass(frozen=True)
class DataLines(Evidence):
    """Lines of this very data, in nats per token, over the targets the run really saw.

    ``uniform`` is ln(classes of the head); ``uniform_used`` ln(number of different targets);
    ``unigram`` the targets' entropy; ``bigram`` their entropy given the current input token
    (None when not a next-token objective or too little was seen); ``tokens`` how many targets;
    ``trigram`` given the last two. All but the uniform ones are Miller-Madow corrected.
    """

    classes: int
    uniform: float
    uniform_used: float
    unigram: float
    bigram: float | None
    tokens: int
    trigram: float | None = None

    def leaves(self, start: float) -> float:
        """Nats that the best n-gram of this data takes from a loss of ``start``."""
        return start - min(v for v in (self.unigram, self.bigram, self.trigram) if v is not None)


@dataclass(frozen=True)
class Layer:
    """One module on a sampled forward: its output's RMS, max and non-finite share."""

    name: str
    kind: str
    rms: float
    max: float
    nonfinite: float = 0.0


@dataclass(frozen=True)
class LayerPicture(Evidence):
    """Activations by module, in order of execution, at the first and at the last look."""

    first: tuple[Layer, ...]
    last: tuple[Layer, ...] = ()
    first_update: int = 0
    last_update: int = 0
