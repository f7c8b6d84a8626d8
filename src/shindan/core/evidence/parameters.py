"""Every parameter of the modules that are trained: who owns it, and does it move."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class ParamRow:
    """One parameter (a tied one is told once, under its first name).

    ``root`` is the class of the outermost module, ``kind`` of the module that holds it.
    ``optimizer`` numbers the optimizers in the order of their first step (None: in none that has
    stepped), ``owned`` says whether any optimizer at all holds it. ``grad`` is the best seen at
    the censuses: ``none``, ``zero`` or ``nonzero``; ``moved`` whether sampled elements changed;
    ``loaded`` whether its values came from a checkpoint, ``trained_before`` whether an optimizer
    that stepped has ever held it, ``random`` whether its values look freshly drawn (None: not
    tested), ``head`` whether a frozen one makes the logits, ``answers`` whether a model in training
    mode made of it what a loss holds against labels.
    """

    name: str
    root: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    owned: bool
    optimizer: int | None = None
    group: int | None = None
    weight_decay: float = 0.0
    grad: str = "none"
    moved: bool = False
    loaded: bool = False
    trained_before: bool = False
    random: bool | None = None
    head: bool = False
    answers: bool = False

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        n = 1
        for size in self.shape:
            n *= size
        return n


@dataclass(frozen=True)
class OptimizerRow:
    """One optimizer that has stepped.

    ``scale_free``: a constant factor on all gradients does not change its steps (Adam and its
    kin, sign methods). ``decay_travel`` is the sum over updates of LR times the largest weight
    decay of its groups (a decayed weight that gets no gradient shrinks by exp(-decay_travel)).
    ``strangers`` are the shapes of parameters it holds that belong to no module that is trained.
    """

    number: int
    name: str
    scale_free: bool
    eps: float
    elements: int
    updates: int
    weight_decays: tuple[float, ...]
    decay_travel: float
    closure: bool = False
    strangers: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class ParamLedger(Evidence):
    """The ledger at the last of ``censuses`` censuses, ``updates`` updates into the run.

    ``setting`` is the name of one that asks to freeze, ``spoken`` says whether the script's
    sources speak of freezing (known only where something is frozen).
    """

    rows: tuple[ParamRow, ...]
    optimizers: tuple[OptimizerRow, ...]
    censuses: int
    updates: int
    setting: str = ""
    spoken: bool = False

    def optimizer(self, number: int) -> OptimizerRow | None:
        """The optimizer of that number."""
        return next((o for o in self.optimizers if o.number == number), None)
