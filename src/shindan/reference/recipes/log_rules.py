"""From scores to verdicts: three rules, each with a limit set on validation sessions alone.

Validation sessions are normal, so they tell false alarms and nothing of what is found. For that,
each is damaged once (cut off, a key lost, doubled or replaced, two neighbours exchanged): the rule
that finds most of the damaged ones decides. No anomaly has a say in any choice.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from shindan.reference.data.order import generator
from shindan.reference.data.sessions import Session
from shindan.reference.recipes.detector import Detector, Scores
from shindan.reference.recipes.log_sources import END

Rule = Literal["surprise", "top", "sphere"]
RULES: tuple[Rule, ...] = ("surprise", "top", "sphere")
MOST_MISSES = 10
"""The largest r looked at."""


@dataclass(frozen=True)
class Limits:
    """What is anomalous by each rule, and by which of them a session is judged."""

    surprise: float
    """surprise: a key is more surprising than this (nats)."""
    g: int
    r: int
    """top: more than r keys are not among the g likeliest."""
    radius: float
    """sphere: the squared distance from the centre is larger."""
    decides: Rule
    false_alarms: dict[Rule, float]
    """Share of validation sessions called anomalous by each rule."""
    found: dict[Rule, float]
    """Share of damaged validation sessions."""
    sessions: int
    """Validation sessions."""

    def says(self, rule: Rule, scores: Scores) -> bool:
        """Whether a session is anomalous by ``rule``."""
        if rule == "surprise":
            return scores.surprise > self.surprise
        if rule == "top":
            return scores.misses(self.g) > self.r
        return scores.distance > self.radius

    def anomalous(self, scores: Scores) -> bool:
        """The verdict; a key that training has not seen is enough whatever rule decides."""
        return scores.surprise == math.inf or self.says(self.decides, scores)


def limits_of(
    detector: Detector,
    validation: Sequence[Session],
    share: float,
    tell: Callable[[int, int], None] | None = None,
) -> Limits:
    """Limits that let about ``share`` of normal sessions be called anomalous."""
    both = detector.scores([*validation, *damaged(validation, detector)], tell)
    normal, broken = both[: len(validation)], both[len(validation) :]
    g, r = _top(normal, broken, share)
    limits = Limits(
        surprise=limit([one.surprise for one in normal], share),
        g=g,
        r=r,
        radius=limit([one.distance for one in normal], share),
        decides="surprise",
        false_alarms={},
        found={},
        sessions=len(validation),
    )
    shares = [
        {rule: _share([limits.says(rule, one) for one in some]) for rule in RULES}
        for some in (normal, broken)
    ]
    decides = max(RULES, key=lambda rule: shares[1][rule])
    return replace(limits, false_alarms=shares[0], found=shares[1], decides=decides)


def limit(scores: Sequence[float], share: float) -> float:
    """The value that a new score of the same kind exceeds with a chance of at most ``share``.

    Of n scores it is the ceil((n + 1)(1 - share))-th smallest (Vovk et al. 2005, split conformal);
    too few scores give the largest of them. A key that training has not seen always exceeds it.
    """
    place = math.ceil((len(scores) + 1) * (1 - share))
    chosen = sorted(scores)[min(place, len(scores)) - 1]
    return min(chosen, max((s for s in scores if s < math.inf), default=0.0))


def _top(normal: Sequence[Scores], broken: Sequence[Scores], share: float) -> tuple[int, int]:
    """(g, r): of the pairs whose false alarms are few enough, the one that finds most damage."""
    most = max(rank for one in [*normal, *broken] for rank in one.ranks)
    pairs = []
    for g in range(1, most):
        r = math.floor(limit([one.misses(g) for one in normal], share))
        if r <= MOST_MISSES:
            pairs.append((_share([one.misses(g) > r for one in broken]), -g, r))
    _, minus_g, r = max(pairs, default=(0.0, -most, 0))
    return -minus_g, r


def damaged(sessions: Sequence[Session], detector: Detector) -> list[Session]:
    """Each session damaged once, chance being a function of its number; what is not damage is out.

    The ways come in turn. Equal to an undamaged one (in the order that is asked of), it is none.
    """
    ways = ("cut", "lost", "doubled", "replaced", *(("exchanged",) if detector.ordered else ()))
    whole = {_form(one, detector) for one in sessions}
    found = [
        replace(one, keys=_damage(one.keys, ways[n % len(ways)], n, detector.vocabulary.keys))
        for n, one in enumerate(sessions)
        if len(one.keys) > 3
    ]
    return [one for one in found if _form(one, detector) not in whole]


def _damage(
    keys: tuple[str, ...], way: str, number: int, known: tuple[str, ...]
) -> tuple[str, ...]:
    end = keys[-1:] if keys[-1] == END else ()
    inner = list(keys[: len(keys) - len(end)])
    draw = torch.randint(2**31, (3,), generator=generator(0, number)).tolist()
    at = draw[0] % (len(inner) - 1)
    if way == "cut":
        inner = inner[: at + 1]
    elif way == "lost":
        del inner[at]
    elif way == "doubled":
        inner.insert(at, inner[at])
    elif way == "replaced":
        others = [key for key in known if key not in (END, inner[at])]
        inner[at] = others[draw[1] % len(others)] if others else inner[at]
    else:
        inner[at], inner[at + 1] = inner[at + 1], inner[at]
    return (*inner, *end)


def _form(session: Session, detector: Detector) -> bytes:
    return b"".join(piece.row.tobytes() for piece in detector.pieces(session))


def _share(said: Sequence[bool]) -> float:
    return sum(said) / max(1, len(said))
