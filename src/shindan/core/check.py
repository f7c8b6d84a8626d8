"""A check is a pure function of typed evidence.

Its signature is the manifest: the engine injects evidence by type. A parameter typed ``X`` makes
the check ``NotRun`` when no ``X`` was gathered; one typed ``X | None`` is optional. One fault may
be judged from several kinds of evidence (a watched run, a log): ``also`` adds a judge.
"""

import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union, get_args, get_origin, get_type_hints

from shindan.core.evidence.base import Evidence
from shindan.core.finding import Finding, Grounds, Kind, Severity

Judge = Callable[..., Iterable[Finding]]


@dataclass(frozen=True)
class Edit:
    """A fault: one contiguous replacement in a healthy patient script (``tests/patients``)."""

    script: str
    old: str
    new: str


@dataclass(frozen=True)
class Rewrite:
    """A fault of a log: from row ``first`` on, columns of a healthy log (``tests/logs``) differ.

    A value is what stands in every such row; a pair (a, b) runs straight from a to b.
    """

    log: str
    first: int
    values: Mapping[str, float | str | tuple[float, float]]


@dataclass(frozen=True)
class Pairing:
    """A fault of a comparison: two logs of ``tests/logs/figures`` that show it, side by side.

    ``said`` is what a person adds to them, as ``shindan compare --set`` takes it.
    """

    a: str
    b: str
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """One parameter of a check."""

    name: str
    type: type[Evidence]
    optional: bool


@dataclass(frozen=True)
class Alternative:
    """A judge, and what it needs."""

    judge: Judge
    needs: tuple[Need, ...]

    def lacks(self, evidence: Container[type[Evidence]]) -> tuple[type[Evidence], ...]:
        """The types it needs that are not there."""
        return tuple(n.type for n in self.needs if not n.optional and n.type not in evidence)


@dataclass(frozen=True)
class Check:
    """A registered check; see :func:`check`."""

    id: str
    kind: Kind
    severity: Severity
    grounds: Grounds
    refs: tuple[str, ...]
    explains: tuple[str, ...]
    subsumes: tuple[str, ...]
    faults: tuple[Edit, ...]
    logs: tuple[Rewrite, ...]
    pairings: tuple[Pairing, ...]
    preview: bool
    module: str
    alternatives: list[Alternative] = field(default_factory=list)
    """Its judges, the function that was made the check first; ``also`` adds to them while the
    module is loaded, nothing does afterwards."""

    def also(self, judge: Judge) -> Judge:
        """Decorator: judge the same fault from other evidence, where that is there."""
        self.alternatives.append(_alternative(judge))
        return judge

    def able(self, evidence: Container[type[Evidence]]) -> Iterator[Alternative]:
        """The judges whose evidence is there."""
        return (a for a in self.alternatives if not a.lacks(evidence))

    def __call__(self, *evidence: Evidence) -> Iterator[Finding]:
        """Judge the evidence given, matched to the parameters by type."""
        by_type = {type(e): e for e in evidence}
        for alternative in self.able(by_type):
            given = {n.name: by_type.get(n.type) for n in alternative.needs}
            yield from alternative.judge(**given)


def check(
    *,
    id: str,
    kind: Kind,
    severity: Severity,
    grounds: Grounds,
    refs: tuple[str, ...] = (),
    explains: tuple[str, ...] = (),
    subsumes: tuple[str, ...] = (),
    fault: Edit | tuple[Edit, ...] = (),
    log: Rewrite | tuple[Rewrite, ...] = (),
    pair: Pairing | tuple[Pairing, ...] = (),
    preview: bool = False,
) -> Callable[[Judge], Check]:
    """Register a judging function as the check ``id``.

    ``explains`` lists the symptom ids this cause can explain; ``subsumes`` the ids of findings
    that are only its consequences (dropped when this one is found); ``fault`` the one-hunk edits
    of patients on which it must fire, ``log`` the same for healthy logs, ``pair`` two logs side by
    side (a check without any stays ``preview``: not reported).
    """

    def wrap(judge: Judge) -> Check:
        return Check(
            id=id,
            kind=kind,
            severity=severity,
            grounds=grounds,
            refs=refs,
            explains=explains,
            subsumes=subsumes,
            faults=(fault,) if isinstance(fault, Edit) else fault,
            logs=(log,) if isinstance(log, Rewrite) else log,
            pairings=(pair,) if isinstance(pair, Pairing) else pair,
            preview=preview,
            module=judge.__module__,
            alternatives=[_alternative(judge)],
        )

    return wrap


def _alternative(judge: Judge) -> Alternative:
    return Alternative(judge, tuple(_needs(judge)))


def _needs(judge: Judge) -> Iterator[Need]:
    hints = get_type_hints(judge)
    hints.pop("return", None)
    for name, hint in hints.items():
        optional = get_origin(hint) in (Union, types.UnionType)
        kinds = [a for a in get_args(hint) if a is not type(None)] if optional else [hint]
        if len(kinds) != 1 or not (isinstance(kinds[0], type) and issubclass(kinds[0], Evidence)):
            raise TypeError(f"{judge.__module__}: parameter {name} must be typed by one Evidence")
        yield Need(name, kinds[0], optional)
