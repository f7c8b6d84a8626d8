"""How far a change of the input gets on its way through the layers."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class SignalRow:
    """One matrix module: RMS of its sampled output, and what replacing every input id changes.

    ``swing_in`` and ``swing_out`` are the RMS of the change at its input and output.
    """

    name: str
    kind: str
    rms_out: float
    swing_in: float
    swing_out: float

    @property
    def gain(self) -> float:
        """How much of a change the module itself passes on."""
        return self.swing_out / self.swing_in if self.swing_in > 0 else 0.0


@dataclass(frozen=True)
class SignalPath(Evidence):
    """Every input id replaced by another: what moves, early and late in the run (eval mode).

    ``rows`` are the matrix modules in order of execution at ``update`` (the first look).
    ``swing`` is the RMS change of the logits then, ``swing_last`` at ``last`` (the last look).
    ``head`` names the module whose output the logits are ("" when it was not recognised).
    """

    update: int
    rows: tuple[SignalRow, ...]
    head: str
    swing: float
    last: int
    swing_last: float
