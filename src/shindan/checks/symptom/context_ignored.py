"""Predictions use the current token, and nothing before it.

All tokens before a position are replaced by another row's: with total variation distance below
0.002 the prediction does not depend on them (patients that learn have 0.1 to 0.3, a character
model that has just learnt the pairs 0.02). It counts only
if the context holds something: the run's own trigram entropy lies at least 0.15 nats below its
bigram entropy, so that first-order data are no fault; and if the bigram has been learnt already,
so that a young run is none. Major only after 200 updates.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import DataLines
from shindan.core.example import Example
from shindan.core.finding import Finding

UNMOVED = 0.002
WORTH = 0.15
UPDATES = 60
SURE = 200
POSITIONS = 8
LAYERED = 5
"""A table, or a table and a head or two, is a bigram model by design."""


@check(
    id="symptom/context-ignored",
    kind="symptom",
    severity="major",
    grounds="intervention",
    fault=(
        Edit(
            script="gpt_plain",
            old="x = x + self.attn(self.ln_1(x))",
            new="x = x + 0.0 * self.attn(self.ln_1(x))",
        ),
        Edit(
            script="gpt_mingpt",
            old="q, k = rotate(q), rotate(k)",
            new="q, k, v = rotate(q), rotate(k), 0.0 * v",
        ),
    ),
)
def CHECK(use: ContextUse, lines: DataLines) -> Iterator[Finding]:
    """Nothing before the current token moves the prediction, though it would help."""
    if (
        use.matrices < LAYERED
        or use.objective != "next"
        or use.update < UPDATES
        or use.positions < POSITIONS
    ):
        return
    if lines.bigram is None or lines.trigram is None or lines.bigram - lines.trigram < WORTH:
        return
    learnt = use.loss < (lines.unigram + lines.bigram) / 2
    if learnt and use.change < UNMOVED:
        yield Finding(
            {
                "change": round(use.change, 4),
                "loss": round(use.loss, 4),
                "bigram": round(lines.bigram, 4),
                "trigram": round(lines.trigram, 4),
                "updates": use.update,
            },
            severity=None if use.update >= SURE else "minor",
        )


_LINES = DataLines(24, 3.178, 3.178, 3.05, 1.93, 60000, 1.35)


def _use(change: float, loss: float, update: int = 240) -> ContextUse:
    return ContextUse(update, "next", 24, change, 1.1, 0.05, 0.0, loss)


SICK = (
    Example(evidence=(_use(0.0, 1.95), _LINES), finds=({"change": 0.0, "bigram": 1.93},)),
    Example(evidence=(_use(0.001, 1.97, 120), _LINES), finds=({"updates": 120},)),
)
HEALTHY = (
    Example(evidence=(_use(0.29, 1.7), _LINES)),
    # a first-order language: the current token says all there is
    Example(evidence=(_use(0.001, 1.2), DataLines(24, 3.178, 3.178, 3.05, 1.2, 60000, 1.19))),
    # tinyshakespeare after 120 updates: the context begins to matter
    Example(evidence=(_use(0.0204, 2.75), DataLines(65, 4.174, 4.143, 3.309, 2.45, 92928, 1.886))),
    # a bigram model by design (makemore, one table)
    Example(evidence=(ContextUse(220, "next", 30, 0.0, 0.37, 0.03, 0.0, 1.9, matrices=1), _LINES)),
    # young: not even the pairs are learnt
    Example(evidence=(_use(0.003, 2.8), _LINES)),
    Example(evidence=(_use(0.003, 2.0, 30), _LINES)),
)
