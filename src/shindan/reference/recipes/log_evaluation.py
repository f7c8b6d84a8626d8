"""How well anomalies of HDFS are found, at the prevalence they have there.

The normal sessions at hand are too few beside the anomalies: among them *always anomalous* has an
F1 of .83. So two shares are measured, recall on all anomalies and false alarms among normal
sessions as often as they come, and F1 is computed for the numbers of the whole log.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shindan.reference.data.sessions import Session, read_sessions
from shindan.reference.recipes.log_sources import closed

ANOMALIES, NORMALS = 16_838, 553_366
"""Of HDFS as a whole, without the training sessions."""
Z = 1.96
"""Of an interval of 95 %."""


@dataclass(frozen=True)
class HdfsTest:
    """What is tested on; no session of it is trained on or has a say in a limit."""

    anomalies: list[Session]
    normals: list[Session]
    """In their natural multiplicity."""
    unseen: list[Session]
    """Distinct normal ones that are not among the training sessions."""


def hdfs_test(folder: Path) -> HdfsTest:
    """All anomalies, and the normal sessions of both tables. Raises DataError."""
    train = {one.keys for one in read_sessions(folder / "hdfs_train")}
    tables = [folder / f"robust_log_{part}.csv" for part in ("train", "valid")]
    normals = [one for table in tables for one in read_sessions(table) if not one.anomalous]
    unseen = {one.keys: one for one in normals if one.keys not in train}
    anomalies = read_sessions(folder / "hdfs_test_abnormal", anomalous=True)
    return HdfsTest(
        *([closed(one) for one in some] for some in (anomalies, normals, unseen.values()))
    )


@dataclass(frozen=True)
class Figures:
    """Of one method. Shares have been measured; precision and F1 are at natural prevalence."""

    recall: float
    false_alarms: float
    unseen_false_alarms: float
    """On the distinct unseen normal sessions."""
    precision: float
    f1: float
    low: float
    high: float
    """An interval of 95 % for F1: both shares at the worse, both at the better end of theirs."""


def figures(anomalies: Sequence[bool], normals: Sequence[bool], unseen: Sequence[bool]) -> Figures:
    """From what a method says of each session."""
    recall, alarms = share(anomalies), share(normals)
    least, most = interval(sum(anomalies), len(anomalies))
    fewest, many = interval(sum(normals), len(normals))
    precision, f1 = at_prevalence(recall, alarms)
    return Figures(
        recall=recall,
        false_alarms=alarms,
        unseen_false_alarms=share(unseen),
        precision=precision,
        f1=f1,
        low=at_prevalence(least, many)[1],
        high=at_prevalence(most, fewest)[1],
    )


def at_prevalence(recall: float, alarms: float) -> tuple[float, float]:
    """(precision, F1) on the whole log."""
    right, wrong = recall * ANOMALIES, alarms * NORMALS
    if not right:
        return 0.0, 0.0
    return right / (right + wrong), 2 * right / (ANOMALIES + right + wrong)


def recall_at(anomalies: Sequence[float], normals: Sequence[float], alarms: float) -> float:
    """The share of anomalies above the limit that lets at most ``alarms`` of the normals through.

    This limit is chosen on the test itself: it compares scores, and is no result.
    """
    limit = sorted(normals, reverse=True)[math.floor(alarms * len(normals))]
    return share([score > limit for score in anomalies])


def share(said: Sequence[bool]) -> float:
    """How many are true."""
    return sum(said) / max(1, len(said))


def interval(count: int, of: int) -> tuple[float, float]:
    """Wilson's, of a share."""
    found, spread = count / of, Z * Z / of
    middle = (found + spread / 2) / (1 + spread)
    half = Z * math.sqrt(found * (1 - found) / of + spread / of / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
