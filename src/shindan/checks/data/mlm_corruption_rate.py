"""A masked language model's input is corrupted too little, too much, or by the wrong ids."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import Corruption, Objective
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure, Severity

ENOUGH = 2000
"""Content tokens."""
FEW, VERY_FEW = 0.03, 0.02
"""Rates: 1 % costs half a nat (catalogue, D08), 15 % is usual."""
MANY = 0.83
"""Rates up to 0.8 are a legitimate choice (D08: 0.8 costs nothing)."""
FIXED = 0.3
"""Spread below this: the same number in each row, a design (one masked key a window)."""
DRAWN = 3.0
"""Spread above this: the rate is drawn per row, a design (diffusion, mask-predict)."""
ALL = 0.9
KEPT = 0.3
"""Share of the asked tokens that stand in the input unchanged. Designs keep 0.1 (BERT) to 0.2 (its
ablations); where replacing and keeping share what masking leaves (transformers' collator), a slip
in the masked share keeps up to half. Major where more is kept than hidden."""
SPECIAL = 0.05
"""Share of the random words that are special tokens."""


@check(
    id="data/mlm-corruption-rate",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("facebookresearch/fairseq#752", "graykode/nlp-tutorial#86"),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/at-unigram-line"),
    fault=(
        Edit(script="bert_mlm", old="p=0.15):", new="p=0.015):"),
        Edit(script="bert_mlm", old="p=0.15):", new="p=0.85):"),
        Edit(
            script="bert_mlm",
            old="random_ids = torch.randint(FIRST_CONTENT, vocab_size,",
            new="random_ids = torch.randint(0, vocab_size,",
        ),
        Edit(
            script="distill",
            old="torch.where(chosen & (dice < 0.8), MASK_ID, ids)",
            new="torch.where(chosen & (dice < 0.08), MASK_ID, ids)",
        ),
    ),
)
def CHECK(objective: Objective, corruption: Corruption | None) -> Iterator[Finding]:
    """Realised rates, from the labels and the input alone.

    All [MASK], and rates from 3 % to 83 %, are designs and silent.
    """
    if corruption is None:
        yield from _untouched(objective)
        return
    c = corruption
    if c.tokens < ENOUGH or c.counted >= ALL * c.tokens or not c.counted:
        return
    rate = c.counted / c.tokens
    measured: dict[str, Measure] = {
        "rate": rate,
        "masked": c.masked / c.counted,
        "kept": c.kept / c.counted,
        "random": c.other / c.counted,
    }
    if rate < FEW and c.spread > FIXED:
        severity: Severity = "major" if rate < VERY_FEW else "minor"
        yield Finding(measured=measured, where=c.where, severity=severity)
    if rate > MANY and c.spread < DRAWN and c.kept + c.other > SPECIAL * c.counted:
        yield Finding(measured=measured, where=c.where)
    if c.kept > KEPT * c.counted:
        given: Severity = "major" if c.kept > c.masked else "minor"
        yield Finding(measured=measured, where=c.where, severity=given, variant="kept")
    if c.other >= 30 and c.other_special > SPECIAL * c.other and not c.library_collator:
        special = {"special": c.other_special / c.other}
        yield Finding(
            measured=measured | special, where=c.where, severity="minor", variant="special"
        )


def _untouched(objective: Objective) -> Iterator[Finding]:
    """A part of the positions is asked for, nothing of the input is hidden from an encoder."""
    few = objective.counted < 0.6 * objective.tokens and objective.counted >= 100
    sees = objective.reach is not None and objective.reach > 0
    if objective.relation == "copied" and objective.alias_id is None and few and sees:
        rate = objective.counted / objective.tokens
        yield Finding(
            measured={"rate": rate, "masked": 0.0, "kept": 1.0, "random": 0.0},
            where=objective.where,
            variant="kept",
        )


def _corruption(
    tokens: int, counted: int, parts: tuple[int, int, int, int], spread: float = 1.0
) -> Corruption:
    return Corruption(3, tokens, counted, *parts, spread, 768)


MLM = Objective("masked", 0, 2, (), 20764, 2780)
SICK = (
    Example(evidence=(MLM, _corruption(20000, 200, (160, 20, 20, 0))), finds=({"rate": 0.01},)),
    Example(evidence=(MLM, _corruption(20000, 17000, (13600, 1700, 1700, 0))), finds=({},)),
    Example(evidence=(MLM, _corruption(20000, 3000, (240, 2460, 300, 0))), finds=({"kept": 0.82},)),
    # 0.08 instead of 0.8, half of the rest replaced
    Example(
        evidence=(MLM, _corruption(20000, 3000, (240, 1380, 1380, 0))), finds=({"kept": 0.46},)
    ),
    Example(
        evidence=(MLM, _corruption(20000, 3000, (2400, 300, 300, 75))), finds=({"special": 0.25},)
    ),
    Example(evidence=(Objective("copied", 0, 2, (), 20000, 3000),), finds=({"kept": 1.0},)),
)
HEALTHY = (
    Example(evidence=(MLM, _corruption(20000, 3000, (2400, 300, 300, 0)))),
    # no [MASK] at all: 80 % replaced, 20 % kept (an ablation of BERT's)
    Example(evidence=(MLM, _corruption(20000, 3000, (0, 600, 2400, 0)))),
    # LogBERT: 65 %, all of it [MASK]
    Example(evidence=(MLM, _corruption(20000, 13000, (13000, 0, 0, 0)))),
    # one key masked in each window of 100
    Example(evidence=(MLM, _corruption(20000, 200, (200, 0, 0, 0), spread=0.01))),
    # masked diffusion: the rate is drawn per row
    Example(evidence=(MLM, _corruption(20000, 17000, (17000, 0, 0, 0), spread=9.0))),
    # an auto-encoder: every position is asked for
    Example(evidence=(Objective("copied", 0, 2, (), 20000, 20000),)),
)
