"""What needs no model, to be shown beside LogBERT (Landauer et al. 2024 found most of it).

Each baseline gives a session a score: yes or no as 1 or 0, or a distance whose limit is set as
LogBERT's are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from shindan.reference.data.sessions import Session
from shindan.reference.recipes.log_sources import END

Baseline = Callable[[Session], float]


def keys(session: Session) -> tuple[str, ...]:
    """Its keys without the end, which baselines do not need."""
    return session.keys[:-1] if session.keys[-1:] == (END,) else session.keys


def always(_: Session) -> float:
    """Everything is anomalous."""
    return 1.0


def unseen_sequence(train: Iterable[Session]) -> Baseline:
    """No training session has the same keys in the same order."""
    known = {keys(one) for one in train}
    return lambda session: float(keys(session) not in known)


def new_event(train: Iterable[Session]) -> Baseline:
    """It has a key that no training session has."""
    known = {key for one in train for key in keys(one)}
    return lambda session: float(not known.issuperset(keys(session)))


def length(train: Iterable[Session]) -> Baseline:
    """It is shorter or longer than every training session."""
    lengths = [len(keys(one)) for one in train]
    least, most = min(lengths), max(lengths)
    return lambda session: float(not least <= len(keys(session)) <= most)


def either(*some: Baseline) -> Baseline:
    """One of them says so."""
    return lambda session: max(one(session) for one in some)


def unseen_counts(train: Iterable[Session]) -> Baseline:
    """No training session has each key as many times."""
    known = {frozenset(Counter(keys(one)).items()) for one in train}
    return lambda session: float(frozenset(Counter(keys(session)).items()) not in known)


def count_distance(train: Sequence[Session]) -> Baseline:
    """To the nearest training session, between how often they have each key: the sum of absolute
    differences over the larger number of keys (Landauer et al.'s count-vector clustering)."""
    names = sorted({key for one in train for key in keys(one)})
    vectors = {tuple(Counter(keys(one))[name] for name in names) for one in train}
    table = np.array(sorted(vectors))
    sizes = table.sum(1)

    def distance(session: Session) -> float:
        counts = Counter(keys(session))
        own = np.array([counts[name] for name in names])
        size = len(keys(session))
        # A key without a column differs from every training session by all its occurrences.
        differences = np.abs(table - own).sum(1) + size - own.sum()
        return float((differences / np.maximum(sizes, max(1, size))).min())

    return distance
