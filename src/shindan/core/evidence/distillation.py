"""What every distillation loss was given, what it weighed, and whose outputs it compared."""

from collections import Counter
from dataclasses import dataclass

from shindan.core.evidence.base import Evidence

LANGUAGE_LIKE = ("kl_div", "cross_entropy")
"""Kinds that compare distributions over classes; the others compare hidden states."""


@dataclass(frozen=True)
class Root:
    """A module that is called from outside: student, teacher or a projection between them.

    ``elements`` counts its parameters; ``training`` its mode at the sampled steps, ``dropout``
    the largest dropout probability active inside it (the least of all its calls).
    ``grad_output``: its output carried gradients; ``fed_by_grad``: its inputs did; ``fed_ids``:
    they are token ids, not hidden states. ``trainable``: some parameter requires gradients;
    ``held``: an optimizer holds one of its parameters, ``stepped``: such an optimizer steps
    while it distils; ``moved``: its values changed between sampled steps; ``hard_loss``: its own
    output is also held against labels. ``shares`` are the numbers of roots that share more than
    half of their elements with it.
    """

    number: int
    name: str
    elements: int
    training: bool = False
    dropout: float = 0.0
    grad_output: bool = False
    fed_by_grad: bool = False
    fed_ids: bool = False
    trainable: bool = True
    held: bool = False
    stepped: bool = False
    moved: bool = False
    hard_loss: bool = False
    shares: tuple[int, ...] = ()


@dataclass(frozen=True)
class Side:
    """One of the two tensors of a distillation loss.

    ``root`` is the number of the root whose output it is, up to a factor and a shift of each row
    (None: not found); ``temperature`` that factor's inverse (what the logits were divided by).
    ``low`` is the smallest value; ``total`` the mean row sum; ``logsumexp`` the mean over rows;
    ``spread`` the standard deviation over rows, averaged over columns.
    """

    grad: bool
    root: int | None = None
    temperature: float | None = None
    low: float = 0.0
    total: float = 0.0
    logsumexp: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class Sample:
    """One sampled call of a distillation loss.

    ``weight`` is the sum over rows of d(total loss)/d(one row's loss), for hidden states
    d(total loss)/d(this loss), the scaler's scale divided out (None: it took part in no backward,
    0: multiplied by zero); ``hard_weight`` the same for the labels of the step's cross-entropy.
    ``gap`` is the largest difference between the two distributions, divided by the largest
    probability. ``call`` counts the calls of this place from 1; ``training`` is the mode of the
    model called last before.
    """

    call: int
    value: float
    rows: int
    input: Side
    target: Side
    weight: float | None = None
    hard_weight: float | None = None
    gap: float | None = None
    training: bool = True


@dataclass(frozen=True)
class Term:
    """One distillation loss, at one place in the code; ``words`` are hints in its code lines.

    ``batch`` is the first dimension of its input, ``classes`` the last, ``calls`` how often it
    was called with gradients. ``padded`` counts the rows at padded positions of the sampled
    batches, ``padded_active`` those of them that got gradients, ``active`` all rows that did.
    """

    kind: str
    reduction: str
    log_target: bool
    shape: tuple[int, ...]
    calls: int
    samples: tuple[Sample, ...]
    file: str | None = None
    line: int | None = None
    words: tuple[str, ...] = ()
    padded: int = 0
    padded_active: int = 0
    active: int = 0

    @property
    def classes(self) -> int:
        """Width of a row."""
        return self.shape[-1]


@dataclass(frozen=True)
class DistillationLedger(Evidence):
    """All losses that compare two models' outputs, and the modules they come from.

    ``zeroed`` are options given a zero on the command line.
    """

    terms: tuple[Term, ...]
    roots: tuple[Root, ...]
    zeroed: tuple[str, ...] = ()

    def root(self, number: int | None) -> Root | None:
        """The root of that number."""
        return next((r for r in self.roots if r.number == number), None)

    def pair(self, term: Term) -> tuple[Root, Root] | None:
        """(student, teacher) of a term; None unless both were recognised and are two models.

        The teacher is the side without gradients; when both carry some, the target.
        """
        pairs: Counter[tuple[int, int]] = Counter()
        for s in term.samples:
            if s.input.root is not None and s.target.root is not None:
                swapped = s.target.grad and not s.input.grad
                first, second = (s.target, s.input) if swapped else (s.input, s.target)
                pairs[(first.root or 0, second.root or 0)] += 1
        if not pairs:
            return None
        (a, b), seen = pairs.most_common(1)[0]
        student, teacher = self.root(a), self.root(b)
        if student is None or teacher is None or a == b or seen < 2 or b in student.shares:
            return None
        return student, teacher
