"""The loss is lower than the data allow without seeing the answers.

A low loss alone proves nothing (deterministic, memorised and long-range data reach it), so an
intervention must show the leak: replacing the tokens *after* a position raises its loss by half a
nat, or the labels are the input tokens at their own place. The line is the run's own trigram
(bigram, unigram) entropy; below half of it.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.context import ContextUse
from shindan.core.evidence.curve import Curve, DataLines, MicroStep
from shindan.core.example import Example
from shindan.core.finding import Finding
from shindan.core.plateau import plateau

RISE = 0.5
COPIED = 0.95
BELOW = 0.5
LINE = 0.3


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


def _run(level: float) -> Curve:
    micro = tuple(MicroStep(i, i, level, ce=level) for i in range(120))
    return Curve(micro, (), total_updates=120)


def _use(future: float | None, copied: float = 0.05, objective: str = "next") -> ContextUse:
    return ContextUse(120, objective, 24, 0.3, 1.1, copied, future, 0.1)


_LINES = DataLines(24, 3.178, 3.178, 3.05, 1.93, 60000, 1.35)

SICK = (
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
