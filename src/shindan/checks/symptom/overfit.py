"""Training falls while validation rises.

Conservative: at least two evaluations after the best one, both of the last two above it by
MARGIN nats and by SHARE of all that validation had gained (which is MARGIN at least: a run that
only ever got worse did not overfit), and the training loss lower than it was at the best
validation by half of the rise, or by half of itself (nothing falls below zero). A log often begins
with the best evaluation of a fine-tuning, after a whole epoch: there nothing need have been gained,
if training has not been lower before (it did not blow up).

In a log a smaller rise counts, too, as minor, where it cannot be scatter: at least four
evaluations after the best stand in rising order (Kendall's tau, one-sided 5 %: four must all rise,
1 of 24), and the last two lie above the best by CLEAR times the scatter of one evaluation around
its own trend (second differences: the best is the lowest of many, about two sd below its trend)
and by LEVEL of it and of what had been gained: seeds alone move a validation by 0.02 % (28 runs of
modded-nanogpt at 2.92) to 0.8 % (three seeds of a GPT of 125M at 3.2), so that less would not come
again; training fell by a greater share than validation rose, or by SHARE, or by more than half of
the rise. In any order they count,
too, where they stand by SHARE above the best and above several before it, which by chance is rarer
than CHANCE (``logs/trends.py``, ``apart``): a new epoch moves validation once, not steadily.
"""

from collections.abc import Iterator
from dataclasses import replace

from shindan.core.check import Edit, check
from shindan.core.evidence.logs import LogEpochs, LogProgress
from shindan.core.evidence.trend import LossTrend, Rise
from shindan.core.example import Example
from shindan.core.finding import Finding

MARGIN = 0.1
SHARE = 0.2
GRAVE = 0.5
"""Share of what validation had gained that is lost again (else it must end above the start)."""
CHANCE = 0.05
CLEAR = 3.0
LEVEL = 0.01


@check(
    id="symptom/overfit",
    kind="symptom",
    severity="minor",
    grounds="threshold",
    refs=("keras-hub#796",),
    fault=Edit(
        script="seqfirst_lm",
        old="self.encode(kept)[:20000]",
        new="self.encode(kept)[:480].repeat(75)",
    ),
)
def CHECK(trend: LossTrend, progress: LogProgress | None) -> Iterator[Finding]:
    """Validation turned while training went on."""
    if trend.rise is not None:
        yield from _judged(trend.rise, trend.first, trend.start, progress is not None)


@CHECK.also
def by_epoch(epochs: LogEpochs) -> Iterator[Finding]:
    """The same of a log of a few rows."""
    yield from _judged(epochs.rise, epochs.first, epochs.first, True)


def _judged(rise: Rise, first: float, start: float, log: bool) -> Iterator[Finding]:
    if rise.points_after < 2:
        return
    risen, gained = rise.last - rise.best, rise.first - rise.best
    fallen = rise.train_at_best - rise.train_last
    enough = min(risen, abs(rise.train_at_best)) / 2
    plain = risen >= max(MARGIN, SHARE * gained) and fallen >= enough
    if not plain and not (log and _steady(rise)):
        return
    if gained < MARGIN and not (log and rise.train_at_best <= first):
        return
    grave = risen > GRAVE * gained if gained >= MARGIN else rise.last > start + MARGIN
    yield Finding(
        measured={
            "best": rise.best,
            "update": rise.best_update,
            "last": rise.last,
            "rise": risen,
            "train_fall": fallen,
        },
        severity="major" if plain and grave else None,
        variant="log" if log else "",
    )


def _steady(rise: Rise) -> bool:
    """A rise in order or above all before, while training fell, too."""
    if rise.best <= 0 or rise.train_at_best <= 0:
        return False
    risen = rise.last - rise.best
    fallen = rise.train_at_best - rise.train_last
    worth = max(rise.best, rise.first - rise.best)
    clear = rise.climb <= CHANCE and risen >= max(LEVEL * worth, CLEAR * rise.scatter)
    parted = rise.apart <= CHANCE and risen >= SHARE * worth
    learnt = fallen / rise.train_at_best > min(risen / rise.best, SHARE) or fallen > risen / 2
    return (clear or parted) and learnt


def _trend(best: float, last: float, train: float, after: int = 4, first: float = 4.2) -> LossTrend:
    rise = Rise(best, 300, last, first, after, 2.0, train)
    return LossTrend("ce", 1200, (4.0, 3.0, 2.0, 1.5, 1.0, 0.5), 0.1, rise=rise)


_EPOCHS = Rise(0.50, 5, 0.51, 0.69, 4, 0.5, 0.3, climb=1 / 24, scatter=0.002)
"""Ten epochs; the four after the best rise in order, five times the scatter."""
_PARTED = Rise(0.157, 3, 0.214, 0.176, 7, 0.085, 0.003, climb=0.5, scatter=0.032, apart=0.03)
"""Ten epochs; the seven after the best are above the three up to it, in no order."""
_STEEP = Rise(0.416, 31, 0.602, 3.0, 8, 0.071, 0.05, climb=1e-4, scatter=0.004)
"""Validation rises by more of itself than training falls."""
_LEVELLING = Rise(2.51, 600, 3.01, 5.1, 5, 2.49, 2.09, climb=1 / 120, scatter=0.01)
"""Training falls by less of itself than validation rises, and by most of the rise."""
SICK = (
    Example(evidence=(_trend(2.2, 2.9, 0.5),), finds=({"best": 2.2, "update": 300},)),
    Example(evidence=(_trend(2.2, 5.0, 0.1),), finds=({"last": 5.0},)),
    # twelve epochs
    Example((LogEpochs(Rise(2.2, 4, 2.9, 4.2, 7, 2.0, 0.5), 4.4),), finds=({"best": 2.2},)),
    # fine-tuning: best at the first evaluation
    Example(
        (
            replace(_trend(2.2, 3.4, 0.1, first=2.2), first=3.1),
            LogProgress("step", 120, 10, 1200, 10),
        ),
        finds=({"best": 2.2, "last": 3.4},),
    ),
    Example((LogEpochs(_EPOCHS, 0.9),), finds=({"best": 0.50, "update": 5},)),
    Example((LogEpochs(_PARTED, 0.9),), finds=({"best": 0.157, "last": 0.214},)),
    Example((LogEpochs(_LEVELLING, 5.0),), finds=({"best": 2.51},)),
    Example((LogEpochs(_STEEP, 2.9),), finds=({"best": 0.416, "last": 0.602},)),
)
HEALTHY = (
    # three in order of four; as much as the scatter; less than seeds do; training stood, too
    Example((LogEpochs(replace(_EPOCHS, climb=0.17), 0.9),)),
    Example((LogEpochs(replace(_EPOCHS, scatter=0.005), 0.9),)),
    Example((LogEpochs(replace(_EPOCHS, last=0.504, scatter=0.001), 0.9),)),
    # a hundredth of its level, and less than that of what it had gained
    Example((LogEpochs(Rise(0.031, 7, 0.0319, 0.137, 4, 0.02, 0.01, 1 / 24, 0.0001), 0.15),)),
    Example((LogEpochs(replace(_EPOCHS, train_last=0.495), 0.9),)),
    Example((LogEpochs(replace(_LEVELLING, train_last=2.29), 5.0),)),
    Example((LogEpochs(replace(_STEEP, train_last=0.062), 2.9),)),  # training hardly fell
    # above those before by less than a fifth; as may be by chance
    Example((LogEpochs(replace(_PARTED, last=0.18), 0.9),)),
    Example((LogEpochs(replace(_PARTED, apart=0.1), 0.9),)),
    Example((LogEpochs(Rise(2.2, 11, 2.2, 4.2, 0, 2.0, 2.0), 4.4),)),
    # a log of a training that blew up and came back
    Example(
        (
            replace(_trend(4.2, 9.0, 0.5, first=4.2), first=1.5),
            LogProgress("step", 120, 10, 1200, 10),
        )
    ),
    # a slight turn; training did not fall (a hard stretch of data); only just turned
    Example(evidence=(_trend(2.2, 2.25, 1.0),)),
    Example(evidence=(_trend(2.2, 2.9, 2.0),)),
    Example(evidence=(_trend(2.2, 2.9, 0.5, after=1),)),
    # training blew up and came back part of the way: validation never gained anything
    Example(evidence=(_trend(4.2, 28.0, -60.0, first=4.2),)),
    Example(evidence=(LossTrend("ce", 1200, (4.0, 3.0, 2.0), 0.1),)),
)
