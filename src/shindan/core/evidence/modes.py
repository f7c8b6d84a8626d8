"""In which mode the model trained, and in which it was evaluated."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence
from shindan.core.finding import NOWHERE, Where


@dataclass(frozen=True)
class RootModes:
    """One trained root module.

    ``train_steps`` and ``eval_steps``: forwards that a backward followed, by the root's mode;
    ``first_eval`` the first of the latter (counted over both). ``evaluations_train`` and
    ``_eval``: losses (or, without any, stretches of equal calls) without gradients by the root's
    mode, ``evaluated`` where the first of the former was made. Of ``dropouts`` modules with p > 0,
    ``silent_first`` and ``silent_last`` were in eval mode at the first and at the last training
    forward in train mode. ``noise`` is the mean |difference| of logits between train and eval
    mode relative to their spread (0: the mode does not matter; None: not measured).
    """

    name: str
    train_steps: int
    eval_steps: int
    first_eval: int | None = None
    evaluations_train: int = 0
    evaluations_eval: int = 0
    evaluated: Where = NOWHERE
    trained: Where = NOWHERE
    dropouts: int = 0
    silent_first: int = 0
    silent_last: int = 0
    noise: float | None = None


@dataclass(frozen=True)
class ModeLedger(Evidence):
    """All trained roots, the one with most steps first."""

    roots: tuple[RootModes, ...]
