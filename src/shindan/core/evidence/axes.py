"""What is spent on a run: the axes on which runs are compared."""

from typing import Literal

Axis = Literal["updates", "tokens", "epochs", "seconds", "flops"]
Clock = Literal["clock", "dates", "steps", "speed", "total"]
"""Where a run's seconds come from: a count that runs, times of its lines, what steps took, how
many there were in a second, or the whole time alone, gone by evenly."""
AXES: tuple[Axis, ...] = ("updates", "tokens", "epochs", "seconds", "flops")
