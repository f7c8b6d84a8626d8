"""Which relation of its dimensions a scale of attention scores is: exact numbers, no guess."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shindan.core.evidence.computed import ScoreSite

NEAR = 1e-3
"""Relative difference of two numbers that are the same (constants may be rounded)."""
UNSCALED_BY_DESIGN = ("/gpt_neo/", "/t5/", "/mt5/", "/umt5/", "/longt5/", "/switch_transformers/")
"""Folders of the transformers library whose attention has no scale on purpose."""


@dataclass(frozen=True)
class Relation:
    """A scale recognised: its name, and the formula as text."""

    name: str
    formula: str


RIGHT = Relation("right", "d_head^-0.5")
MISSING = Relation("missing", "1")


def same(a: float, b: float) -> bool:
    """Equal but for rounding."""
    return b != 0 and abs(a / b - 1) < NEAR


def relation(site: ScoreSite) -> Relation | None:
    """The relation that the site's scale is; None when it is none of the known ones."""
    d, width, c = site.d_head, site.d_model, site.scale
    if same(c, d**-0.5):
        return RIGHT
    if same(c, 1.0):
        return MISSING
    known = (
        (d**0.5, Relation("inverted", "d_head^0.5")),
        (width**-0.5, Relation("model", "d_model^-0.5")),
        (width**0.5, Relation("inverted", "d_model^0.5")),
        (1 / d, _one_over_d(site)),
        (d**-0.25, Relation("half", "d_head^-0.25")),
        (1 / width, Relation("model", "1/d_model")),
    )
    return next((r for value, r in known if same(c, value)), None)


def _one_over_d(site: ScoreSite) -> Relation:
    """1/d is muP's; two factors of d^-0.5 are the same scale applied twice."""
    roots = [f for f in site.factors if same(f, site.d_head**-0.5)]
    if len(roots) == 2:
        return Relation("twice", "d_head^-0.5 twice")
    return Relation("linear", "1/d_head")


def compensated(site: ScoreSite) -> bool:
    """Does the query projection carry the scale in its weights, as T5's does?

    T5 starts Wq smaller than Wk by d^-0.5; the bar is the geometric middle between that and 1.
    """
    ratio = site.q_rms / site.k_rms if site.k_rms > 0 else math.nan
    return not min(ratio, 1 / ratio if ratio else 0.0) > site.d_head**-0.25


def agreed(sites: Sequence[ScoreSite]) -> tuple[Relation, ScoreSite] | None:
    """The one relation of all attentions, with the first of them; None when they differ.

    Scales that vary by layer (Mistral's inverse layer index) could meet a relation by accident.
    """
    plain = [s for s in sites if s.plain and s.d_head > 1]
    found = [relation(s) for s in plain]
    if not plain or len(plain) < len(sites) or found[0] is None:
        return None
    if any(r is None or r.formula != found[0].formula for r in found):
        return None
    return found[0], plain[0]
