"""Does a view or reshape carry the T axis across the heads?

A reshape keeps the order of elements. The number of elements that lie *after* one step of T (the
product of the axes to its right) is therefore the same before and after any right split or merge
of heads, ``(B, T, D) <-> (B, T, h, d)``, and differs by the factor h in the wrong one,
``(B, T, D) <-> (B, h, T, d)``, where T's steps are no tokens any more.
"""

from math import prod

Shape = tuple[int, ...]


def heads_crossed(before: Shape, after: Shape, length: int) -> int | None:
    """By how many heads T was moved (None: it was not).

    T must stand out: one axis of that size on either side. A factor of T or more is no number of
    heads (the skewing of relative positions exchanges two axes of about T).
    """
    if before.count(length) != 1 or after.count(length) != 1 or not 3 <= len(after) <= 5:
        return None
    right = [prod(s[s.index(length) + 1 :]) for s in (before, after)]
    small, large = sorted(right)
    if small < 2 or small == large or large % small:
        return None
    heads = large // small
    return heads if heads < length else None


def coincides(before: Shape, after: Shape, length: int) -> bool:
    """Is T on both sides, but another axis of the same size beside it?"""
    counts = before.count(length), after.count(length)
    return min(counts) >= 1 and max(counts) > 1
