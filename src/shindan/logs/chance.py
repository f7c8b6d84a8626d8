"""Losses that come to rest at what guessing gives: ln of a few classes, or of a whole vocabulary.

A classifier that has learnt nothing pays ln k, and a little more for the noise of its weights; so
the loss comes to the line from above and never passes it. Any loss may stand near such a line by
chance. The interval that would count as near as this one is its distance and its error; of
all losses up to ln 10 the lines' intervals together may cover CHANCE. Where the training losses
are too noisy for that the evaluations are a second try, at twice the chance.
"""

import math
import re

import numpy as np

from shindan.core.evidence.beside import AtChance, RisenToLine
from shindan.core.evidence.trend import CHANCE
from shindan.logs.direction import blocks, directed, means_of
from shindan.logs.knownlines import EXACT, NEARER, WELL_KNOWN, sizes_at
from shindan.logs.phases import log_time
from shindan.logs.roles import Roles, normal, setting
from shindan.logs.table import LogTable
from shindan.logs.trends import BLOCKS, FEWEST, Array, widened

CLASSES = range(2, 11)
LINES = tuple(math.log(k) for k in CLASSES)
WORDS = 10_000
"""Vocabularies of words or their parts are larger; ln of it no model that knows words exceeds."""
TWICE = 2.0
"""As of any few losses (``FewLosses.doubled``): a model that knew, and knows no more."""
LEAST = 6
LAST = 3
"""Values at least that stand at the line."""
Series = tuple[str, Array, Array]
"""A name, steps (n,) and values (n,)."""
_LANGUAGE = re.compile(r"\w*(?:token|perplex|ppl|bleu|rouge|[wc]er)\w*")
"""Columns of logs whose loss is over tokens: those have more than ten classes."""


def at_chance(
    table: LogTable, roles: Roles, training: Series, validation: Series
) -> AtChance | None:
    """The line of k classes at which a log's losses come to rest; both finite, in order of x."""
    if len(training[2]) < FEWEST or _of_tokens(table, roles):
        return None
    found = _rests(*training, tries=1)
    if found is not None or len(validation[2]) < FEWEST:
        return found
    found = _rests(*validation, tries=2)
    if found is None:
        return None
    means = np.array([b.mean() for b in np.array_split(training[2], BLOCKS)])
    below = float(means.min()) + 2 * _error(training[2][-(len(training[2]) // 3) :]) < found.at
    return None if below or means[0] >= math.log(found.classes + 1) else found


def _rests(name: str, x: Array, y: Array, tries: int) -> AtChance | None:
    last = -(len(y) // 3)
    tail, u = y[last:], log_time(x)[last:]
    level, error = float(tail.mean()), _error(tail)
    edges = blocks(len(tail))
    if directed(means_of(u, edges), means_of(tail, edges)):
        return None
    at = min(LINES, key=lambda line: abs(level - line))
    chance = tries * len(LINES) * (abs(level - at) + error) / LINES[-1]
    means = [float(b.mean()) for b in np.array_split(y, BLOCKS)]
    k = CLASSES[LINES.index(at)]
    # a twelfth has a quarter of the tail's values, and twice its error
    if chance > CHANCE or min(level + error, min(means) + 2 * error) < at:
        return None
    if means[0] >= math.log(k + 1):
        return None  # it came down by more than one class: something was learnt
    return AtChance(name, k, at, level, error, means[0], len(y), chance)


def _error(tail: Array) -> float:
    """Half the 95 % interval of the mean of a stretch (n,), slow noise included; EXACT at least."""
    left = tail - tail.mean()
    error = 1.96 * float(tail.std(ddof=1)) * widened(left) / math.sqrt(len(tail))
    return max(error, EXACT * abs(float(tail.mean())))


def risen(name: str, y: Array) -> RisenToLine | None:
    """The end of the finite losses ``y`` (n,) at ln of a usual vocabulary, far above their start.

    The mean as near as few values must be, each value as near as a guess.
    """
    if len(y) < LEAST:
        return None
    tail = y[-max(LAST, len(y) // 3) :]
    level = float(tail.mean())
    sizes = sizes_at(level, [v for v in WELL_KNOWN if v >= WORDS], EXACT)
    if not sizes:
        return None
    at = math.log(sizes[0])
    if TWICE * float(y[0]) > at or float(np.abs(tail - at).max()) > NEARER * at:
        return None
    off = np.flatnonzero(np.abs(y - at) > NEARER * at)
    return RisenToLine(name, sizes, at, level, float(y[0]), len(y) - 1 - int(off[-1]))


def _of_tokens(table: LogTable, roles: Roles) -> bool:
    if setting(table, "vocabulary") is not None:
        return True
    named = not {"ppl", "validation_ppl", "tokens"}.isdisjoint(roles.columns)
    return named or any(_LANGUAGE.fullmatch(normal(c)) for c in (*table.columns, *table.words))
