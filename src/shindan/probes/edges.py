"""Padding at the ends of rows, told from the ids alone."""

from collections.abc import Iterator

from torch import Tensor


def constant_runs(ids: Tensor) -> tuple[int, Tensor] | None:
    """(id, bool (B, T)) of what looks like padding in the ids alone; see also :attr:`Look.runs`.

    An id that fills runs of two or more at one end of at least a quarter of the rows (and at least
    three: text repeats a letter now and then), of different lengths, and hardly occurs elsewhere
    (at most once a row: an end-of-text token that is also the padding).
    """
    return next(runs(ids), None)


def runs(ids: Tensor) -> Iterator[tuple[int, Tensor]]:
    """All that :func:`constant_runs` would take, the right end first."""
    for right in (True, False):
        edge = ids[:, -1] if right else ids[:, 0]
        run = (ids == edge[:, None]).int()
        run = run.flip(1).cumprod(1).flip(1) if right else run.cumprod(1)
        lengths = run.sum(1)
        for value in edge[lengths >= 3].unique().tolist():
            ended = edge == value
            inside = run.bool() & ended[:, None]
            outside = int((ids == value).sum()) - int(inside.sum())
            padded = int((ended & (lengths >= 2)).sum())
            enough = padded * 4 >= len(ids) and padded >= min(3, len(ids))
            varied = len((lengths * ended).unique()) > 1
            if enough and varied and outside <= min(len(ids), int(inside.sum()) // 3):
                yield int(value), inside


def alone(ids: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Ids that stand nowhere but in runs at one end of rows, somewhere two or more times."""
    for run in (ids.flip(1), ids):
        for value in run[:, 0].unique().tolist():
            at = run == value
            inside = at.int().cumprod(1).bool()
            if bool((inside == at).all()) and bool(inside[:, 1:2].any()):
                yield int(value), inside if run is ids else inside.flip(1)
