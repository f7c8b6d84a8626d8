"""Causes before risks before symptoms; the most direct conviction first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shindan.core.check import Check
from shindan.core.finding import KINDS, SEVERITIES, Diagnosed, Grounds

DIRECTNESS: tuple[Grounds, ...] = ("intervention", "ledger", "relation", "threshold")


def ranked(found: Sequence[Diagnosed], checks: Mapping[str, Check]) -> tuple[Diagnosed, ...]:
    """Drop mere consequences, tie causes to the symptoms that are there, order, number."""
    ids = {f.id for f in found if f.severity != "info"}  # what accuses nobody excuses nobody
    gone = {s for i in ids for s in checks[i].subsumes if s != i}
    symptoms = {f.id for f in found if f.kind == "symptom"}
    kept = [
        replace(f, explains=_explains(f, checks[f.id], symptoms)) for f in found if f.id not in gone
    ]
    kept.sort(
        key=lambda f: (
            KINDS.index(f.kind),
            SEVERITIES.index(f.severity),
            DIRECTNESS.index(f.grounds),
            -len(f.explains),
            -f.confidence,
            f.id,
        )
    )
    return tuple(replace(f, rank=i) for i, f in enumerate(kept, 1))


def _explains(found: Diagnosed, check: Check, symptoms: set[str]) -> tuple[str, ...]:
    """The symptoms there that it may explain; what is merely worth knowing explains none."""
    if found.severity == "info":
        return ()
    return tuple(s for s in check.explains if s in symptoms)
