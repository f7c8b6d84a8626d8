"""Does the order of the earlier tokens matter to the last one?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class OrderTest:
    """A causal model's blindness to order, by intervention.

    ``constant``: all tokens of a row were made equal; how far logits, and what enters the modules
    that mix positions, differ along the row, relative to their size. ``permuted``: the largest
    movement of the last token's state when the inputs before it are permuted, relative to its
    movement when they are changed, over ``modules`` calls of modules that mix positions, each with
    its parameters made noisy (a rotation of queries near zero does nothing yet). ``sign``: what
    says that positions were meant (empty: nothing does); ``declined``: the script says that they
    are not wanted.
    """

    constant: float
    permuted: float
    modules: int
    sign: str
    declined: bool
