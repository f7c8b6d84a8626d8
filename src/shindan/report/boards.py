"""All tables of a comparison, in the order they are read."""

from shindan.core.evidence.pairs import Comparison
from shindan.report import compared, order, shares
from shindan.report.board import Board
from shindan.report.words import Words

COLUMNS = 3
"""Differences beside each other; more stand below each other."""


def boards(comparison: Comparison, say: Words) -> tuple[Board, ...]:
    """The order of several runs and their sweeps, all side by side, the shares of differences."""
    made = [*order.boards(comparison, say), compared.board(comparison, say)]
    parts = shares.board(comparison, say)
    if parts is not None:
        made.append(parts if len(parts.names) <= COLUMNS else parts.turned())
    return tuple(made)
