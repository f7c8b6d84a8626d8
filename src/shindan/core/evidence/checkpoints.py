"""What was loaded from checkpoints, what of it arrived, and how training went on."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class Resumption:
    """One checkpoint from which a model that trains afterwards was loaded.

    ``counter`` is the largest step counter in the file (0: none), ``signs`` how the script showed
    that it goes on where the checkpoint stopped (``scheduler``, ``printed``, ``saved``, ``said``,
    ``asked``; empty: it may as well be a new training from old weights). ``holds_optimizer``: a
    non-empty optimizer state is in the file; ``optimizer_loaded``: some optimizer was given one.
    ``state_empty``: the optimizer that then trained the model had no state at its first step,
    ``stateful`` that it keeps one. ``schedule_position`` is the position of its scheduler at that
    step (None: it has none), ``schedule_saved`` that in the file (0: none), ``lr_saved`` the
    learning rate in the file, ``lr`` those of the first updates after. ``reset_asked``: an option
    of the command line asks for a fresh optimizer or schedule.
    """

    file: str | None
    line: int | None
    counter: int
    signs: tuple[str, ...]
    holds_optimizer: bool
    optimizer_loaded: bool
    scheduler_loaded: bool
    optimizer: str
    state_empty: bool
    stateful: bool
    updates: int
    schedule_position: int | None = None
    schedule_saved: int = 0
    lr_saved: float | None = None
    lr: tuple[float, ...] = ()
    reset_asked: bool = False


@dataclass(frozen=True)
class Resumptions(Evidence):
    """All of them, in order."""

    loads: tuple[Resumption, ...]


@dataclass(frozen=True)
class KeyMatch:
    """The last ``load_state_dict`` of one module: how many keys met.

    ``keys`` are the module's, ``given`` those of the dictionary, ``matched`` in both. ``renamed``
    counts the pairs that would meet (with equal shapes) if ``prefix_given`` at the beginning of
    the given names were replaced by ``prefix_wanted``; ``tensors`` whether all given values are
    tensors. ``updates`` is how many updates the module's parameters got afterwards, ``used``
    whether it was called.
    """

    module: str
    keys: int
    given: int
    matched: int
    renamed: int
    prefix_given: str
    prefix_wanted: str
    used: bool
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class KeyMatches(Evidence):
    """One record per module that was given a state."""

    loads: tuple[KeyMatch, ...]
