"""What a LogBERT run says of a log: which sessions are anomalous, by which line, and why."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from shindan.reference.data.sessions import Session
from shindan.reference.recipes import logbert
from shindan.reference.recipes.detector import Detector, Scores
from shindan.reference.recipes.log_rules import RULES, Limits, Rule, limits_of
from shindan.reference.recipes.log_sources import END, Cutting, LogSettings
from shindan.reference.train import checkpoint
from shindan.reference.train.errors import TrainError
from shindan.reference.train.resolve import given, resolve
from shindan.reference.train.resolve import load as saved

LIMITS = "limits.json"
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class LogRun:
    """A run as it can be asked."""

    folder: Path
    settings: LogSettings
    detector: Detector
    cutting: Cutting
    limits: Limits


class Suspect(NamedTuple):
    """A key that speaks against its session."""

    line: int | None
    """Of the file, from 1; None where the file holds no lines but keys."""
    place: int
    """In the session, from 1."""
    key: str
    surprise: float
    rank: int
    expected: str
    seen: bool
    """Whether training has seen it."""


@dataclass(frozen=True)
class Judged:
    """A session, the verdict on it, and what it rests on."""

    number: int
    """In the file, from 1."""
    session: Session
    scores: Scores
    anomalous: bool
    rules: tuple[Rule, ...]
    """Those that call it anomalous, whether they decide or not."""
    misses: int
    unseen: int
    """Keys that training has not seen."""
    suspects: tuple[Suspect, ...]
    """Beyond the limits, the most surprising first; of an anomalous session there is one."""


def opened(folder: Path, device: str = "cpu", tell: Told | None = None) -> LogRun:
    """The run in ``folder`` with the weights it last kept, and their limits. Raises TrainError.

    Limits are set on the run's validation sessions when these weights are first used, and kept.
    """
    described = saved(folder)
    if described["recipe"] != logbert.RECIPE.name:
        raise TrainError("wrong-kind", path=folder, recipe=described["recipe"])
    values = {k: v for k, v in described["settings"].items() if k != "model.vocab_size"}
    layers = [given(values, str(folder))]
    settings = resolve(logbert.RECIPE.name, LogSettings, layers).settings
    path = folder / checkpoint.MODEL
    weights = checkpoint.read(path)
    vocabulary, cutting, validation = logbert.kept(folder)
    model = logbert.model(settings, folder)
    model.load_state_dict(weights)
    detector = Detector(model.to(device).eval(), vocabulary, settings.ordered)
    digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    limits = _kept_limits(folder, digest)
    if limits is None:
        limits = limits_of(detector, validation, settings.false_alarms, tell)
        content = json.dumps({"model": digest, **asdict(limits)}, indent=1)
        (folder / LIMITS).write_text(content + "\n", encoding="utf-8")
    return LogRun(folder, settings, detector, cutting, limits)


def _kept_limits(folder: Path, digest: str) -> Limits | None:
    """Those of these very weights."""
    try:
        content = json.loads((folder / LIMITS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Limits(**content) if content.pop("model", None) == digest else None


def judged(run: LogRun, sessions: Sequence[Session], tell: Told | None = None) -> list[Judged]:
    """The verdict on each session."""
    return [
        _judged(run, number, session, scores)
        for number, (session, scores) in enumerate(
            zip(sessions, run.detector.scores(sessions, tell), strict=True), 1
        )
    ]


def _judged(run: LogRun, number: int, session: Session, scores: Scores) -> Judged:
    known, limits = set(run.detector.vocabulary.keys), run.limits
    anomalous = limits.anomalous(scores)
    asked = sorted(_suspects(session, scores, known), key=lambda one: (-one.surprise, one.place))
    beyond = [
        one
        for one in asked
        if one.surprise > limits.surprise or (limits.decides == "top" and one.rank > limits.g)
    ]
    return Judged(
        number=number,
        session=session,
        scores=scores,
        anomalous=anomalous,
        rules=tuple(rule for rule in RULES if limits.says(rule, scores)),
        misses=scores.misses(limits.g),
        unseen=sum(not one.seen for one in asked),
        suspects=tuple(beyond or asked[:anomalous]),
    )


def _suspects(session: Session, scores: Scores, known: set[str]) -> list[Suspect]:
    """Every key; the end has the number of the last line."""
    lines = session.lines
    return [
        Suspect(
            line=lines[min(place, len(lines) - 1)] if lines else None,
            place=place + 1,
            key=key,
            surprise=scores.surprises[place],
            rank=scores.ranks[place],
            expected=scores.expected[place],
            seen=key in known,
        )
        for place, key in enumerate(session.keys)
    ]


def as_json(run: LogRun, found: Sequence[Judged]) -> dict[str, object]:
    """Every session with every key; numbers that are not finite are strings, JSON has none."""
    return {
        "schema": "shindan/anomalies/1",
        "run": str(run.folder),
        "limits": asdict(run.limits),
        "sessions": [_session_json(one) for one in found],
        "counts": {
            "sessions": len(found),
            "anomalous": sum(one.anomalous for one in found),
            "keys": sum(len(one.session.keys) - (END in one.session.keys) for one in found),
            "unseen_keys": sum(one.unseen for one in found),
            "sessions_with_unseen_keys": sum(one.unseen > 0 for one in found),
        },
    }


def _session_json(one: Judged) -> dict[str, object]:
    return {
        "number": one.number,
        "name": one.session.name,
        "lines": list(one.session.lines),
        "label": one.session.anomalous,
        "anomalous": one.anomalous,
        "rules": list(one.rules),
        "surprise": _number(one.scores.surprise),
        "misses": one.misses,
        "distance": one.scores.distance,
        "unseen_keys": one.unseen,
        "keys": list(one.session.keys),
        "surprises": [_number(value) for value in one.scores.surprises],
        "ranks": list(one.scores.ranks),
        "suspects": [
            {**suspect._asdict(), "surprise": _number(suspect.surprise)} for suspect in one.suspects
        ],
    }


def _number(value: float) -> float | str:
    return value if value != float("inf") else "inf"
