"""What was asked for in files and on the command line, what was logged, and what was used."""

from dataclasses import dataclass

from shindan.core.evidence.base import Evidence


@dataclass(frozen=True)
class LoggedRate:
    """One place that logs a learning rate.

    ``label`` is the word before the number; ``logs`` how many were judged, at ``updates``
    different updates, ``met`` how many of them lay (at the precision shown) on or between the
    rates that any group of any optimizer used since the last log or in the neighbouring updates.
    ``logged`` and ``used`` are some of the pairs that did not.
    """

    file: str | None
    line: int | None
    label: str
    logs: int
    updates: int
    met: int
    logged: tuple[float, ...] = ()
    used: tuple[float, ...] = ()


@dataclass(frozen=True)
class LoggedRates(Evidence):
    """All places at which a learning rate is logged."""

    places: tuple[LoggedRate, ...]


@dataclass(frozen=True)
class Asked:
    """One setting that is in a file and has a default on the command line too.

    ``meaning`` is what it sets (``learning_rate``, ``batch_size``, ...), ``key`` its name in the
    file, ``option`` on the command line; ``given`` whether the user passed it. ``used`` are the
    values seen in effect.
    """

    meaning: str
    key: str
    option: str
    in_file: float
    default: float
    given: bool
    used: tuple[float, ...]
    also_in_files: tuple[float, ...] = ()
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Overrides(Evidence):
    """Settings that both a file and the command line know."""

    settings: tuple[Asked, ...]


@dataclass(frozen=True)
class NumberTexts(Evidence):
    """Numbers that YAML read as text: (key, text), and the error the script ended with."""

    entries: tuple[tuple[str, str], ...]
    error: str | None = None
    file: str | None = None
    line: int | None = None
