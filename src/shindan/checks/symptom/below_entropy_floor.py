"""The loss is lower than the data allow without seeing the answers.

A low loss alone proves nothing (deterministic, memorised and long-range data reach it), so an
intervention must show the leak: replacing the tokens *after* a position raises its loss by half a
nat, or the labels are the input tokens at their own place. The line is the run's own trigram
(bigram, unigram) entropy; below half of it.

A log convicts nobody, but a perplexity of evaluations below SHANNON is worth knowing: by Shannon's
own estimate (1951) even a single letter of English, after a hundred others, is worth 0.6 bits at
least, a perplexity of 1.5, and a token is a letter or more. Only where the log itself speaks of a
perplexity: a classifier may well be as sure.
"""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.evidence.logs import LogColumns, LogCurve, Role
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.plateau import plateau

RISE = 0.5
COPIED = 0.95
BELOW = 0.5
LINE = 0.3
SHANNON = 0.6 * math.log(2)
"""Nats of a letter of English to a reader who guesses it."""


@check(
    id="symptom/below-entropy-floor",
    kind="symptom",
    severity="major",
    grounds="intervention",
    fault=(
        Edit(
            script="gpt_plain",
            old="y = att @ v  # (B, h, T, d)",
            new="y = att @ v + v.roll(-1, 2)  # (B, h, T, d)",
        ),
        Edit(
            script="gpt_plain",
            old="torch.from_numpy(rows[:, 1:])",
            new="torch.from_numpy(rows[:, :-1])",
        ),
    ),
)
def CHECK(use: ContextUse, lines: DataLines, curve: Curve) -> Iterator[Finding]:
    """A loss far below the n-gram line, and the answers in sight."""
    end = plateau(curve)
    known = [v for v in (lines.trigram, lines.bigram, lines.unigram) if v is not None]
    if end is None or known[0] < LINE or end.level > BELOW * known[0]:
        return
    ahead = use.future is not None and use.future >= RISE
    if ahead or use.copied >= COPIED:
        yield Finding(
            {
                "loss": round(end.level, 4),
                "line": round(known[0], 4),
                "future": round(use.future or 0.0, 4),
                "copied": round(use.copied, 4),
            },
            # A model may shift its inputs inside, or be meant to copy: only the future convicts.
            severity=None if ahead else "minor",
            variant="" if ahead else "copied",
        )


@CHECK.also
def from_log(columns: LogColumns, curve: LogCurve) -> Iterator[Finding]:
    """Evaluations that predict nearly every token."""
    named = columns.of("validation_ppl") or columns.of("ppl")
    if named is None or columns.objective != "language" or curve.best is None:
        return
    step, loss = curve.best
    if 0 <= loss < SHANNON:
        yield Finding(
            {"column": named, "loss": loss, "perplexity": math.exp(loss), "step": step},
            severity="info",
            variant="log",
        )


def _run(level: float) -> Curve:
    micro = tuple(MicroStep(i, i, level, ce=level) for i in range(120))
    return Curve(micro, (), total_updates=120)


def _use(future: float | None, copied: float = 0.05, objective: str = "next") -> ContextUse:
    return ContextUse(120, objective, 24, 0.3, 1.1, copied, future, 0.1)


_LINES = DataLines(24, 3.178, 3.178, 3.05, 1.93, 60000, 1.35)


def _log(loss: float, *roles: str) -> tuple[LogColumns, LogCurve]:
    columns = LogColumns("csv", 40, tuple(Role(role, role) for role in ("validation", *roles)))
    return columns, LogCurve("step", ((1.0, 2.0),), best=(300.0, loss))


SICK = (
    Example(_log(0.00024, "ppl"), finds=({"loss": 0.00024, "step": 300.0},)),
    Example(evidence=(_use(6.0), _LINES, _run(0.1)), finds=({"line": 1.35, "future": 6.0},)),
    Example(
        evidence=(
            _use(None, 1.0, "same"),
            DataLines(24, 3.178, 3.178, 3.05, None, 60000),
            _run(0.01),
        ),
        finds=({"copied": 1.0},),
    ),
)
HEALTHY = (
    # a classifier; a perplexity that text allows
    Example(_log(0.00024)),
    Example(_log(0.5, "ppl")),
    # memorised, or a language with long rules: low, but nothing ahead is used
    Example(evidence=(_use(0.0), _LINES, _run(0.05))),
    # a masked model: what comes after may be used
    Example(
        evidence=(_use(None, 0.1, "masked"), DataLines(24, 3.1, 3.1, 3.0, None, 9000), _run(1.0))
    ),
    Example(evidence=(_use(6.0), _LINES, _run(1.7))),
    # deterministic data: the line itself is at zero
    Example(evidence=(_use(6.0), DataLines(24, 3.1, 3.1, 3.0, 0.01, 9000, 0.0), _run(0.0))),
)
