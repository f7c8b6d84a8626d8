"""A straight piece of a curve, as the cutters hand it over."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A straight piece of the curve: points ``begin`` to ``end`` (exclusive), fitted levels at its
    ends, and the slope over u = ln step with its 95 % interval.
    """

    begin: int
    end: int
    start: float
    stop: float
    slope: float
    low: float
    high: float
