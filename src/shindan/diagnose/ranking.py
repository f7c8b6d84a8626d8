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
        replace(f, explains=tuple(s for s in checks[f.id].explains if s in symptoms))
        for f in found
        if f.id not in gone
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
