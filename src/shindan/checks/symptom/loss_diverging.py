"""The loss rises for good.

The last third is compared with the better of the two before it. The rise must be SHARE of
everything the run had gained (and LEVEL of its level: a run that gains nothing has only noise),
more than half of the last third must lie beyond the 95th percentile of the better one (a test by
ranks: heavy tails and rising variance do not weaken it), and the loss must not be on its way
back. A level that was reached and is lost at once leaves no rise in the last third: there every
later twelfth, a quarter of the run at least, must lie above it by half of all that was gained.
A run whose whole last third stands SHARE (and CLEAR sd) above its very first update, every single
value above it, has diverged too, whatever it did in between.

Of a log, a rise over all of it is told as minor: t of its slope at least STEADY (HAC; 1e-6 for
normal noise, as for ``symptom/loss-jump``) and its interval above RISEN of the start. A log of
8 to 29 losses is judged by ranks: they rise in order (Kendall's tau below CHANCE) by LEVEL of the
level, major only from SHARE on; or, from one row on, all losses stand above twice the highest
before it, three on either side at least. Of fewer losses the evaluations say it, as minor: the
first is the best of so many that this is rarer than FIRST by chance, the last two stand above it by
LEVEL and by twice the scatter of one, and the training loss, too, stands higher by SHARE.

Under 1 % false alarms on simulated healthy curves: ``tests/diagnose/test_trend.py``.
"""

from collections.abc import Iterator
from statistics import mean

from shindan.core.check import Edit, check
from shindan.core.evidence.logs import LogEpochs, LogProgress
from shindan.core.evidence.trend import FewLosses, LossTrend, Rise, Slope
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity

SHARE = 0.25
LEVEL = 0.05
MOST = 0.5
CLEAR = 3.0
FEWEST = 60
STEADY = 5.0
RISEN = 0.01
CHANCE = 1e-3
FIRST = 0.05


@check(
    id="symptom/loss-diverging",
    kind="symptom",
    severity="major",
    grounds="threshold",
    refs=("transformers#45676",),
    fault=(
        Edit(
            script="gpt_plain",
            old='        group["lr"] = lr\n',
            new='        group["lr"] = lr if it < 60 else lr * 1.12 ** (it - 60)\n',
        ),
        Edit(
            script="seqfirst_lm",
            old="    if val_loss > best_val_loss - 0.2:  # anneal once the validation loss falls"
            " slowly\n        for group in optimizer.param_groups:\n"
            '            group["lr"] = max(LR_FLOOR, group["lr"] / 2.0)',
            new='    for group in optimizer.param_groups:\n        group["lr"] = group["lr"] * 6.0',
        ),
    ),
)
def CHECK(trend: LossTrend, progress: LogProgress | None) -> Iterator[Finding]:
    """The last third lies above what was reached, and stays."""
    found = list(_rises(trend)) if (trend.points or trend.updates) >= FEWEST else []
    yield from found or (_steadily(trend) if progress is not None else ())


@CHECK.also
def of_few(few: FewLosses) -> Iterator[Finding]:
    """A log of a few losses: parted in two, or rising throughout."""
    measured: dict[str, int | float | str]
    if few.doubled:
        measured = {"step": few.parted, "best": few.below, "last": few.above, "points": few.points}
        yield Finding(measured, variant="parted")
    elif few.rising < CHANCE and few.end - few.start >= LEVEL * abs(few.start):
        rise = few.end - few.start
        measured = {"best": few.start, "last": few.end, "rise": rise, "points": few.points}
        severity: Severity | None = None if rise >= SHARE * abs(few.start) else "minor"
        yield Finding(measured, severity=severity, variant="few")


@CHECK.also
def of_epochs(epochs: LogEpochs) -> Iterator[Finding]:
    """Validation was never again as good as at first, and training became worse."""
    rise = epochs.rise
    risen, worse = rise.last - rise.best, rise.train_last - rise.train_at_best
    first = rise.first == rise.best and (rise.points_after + 1) * FIRST >= 1
    clear = risen >= max(LEVEL * abs(rise.best), 2 * rise.scatter)
    if first and clear and worse >= SHARE * abs(rise.train_at_best):
        yield Finding(
            {
                "best": rise.best,
                "last": rise.last,
                "rise": risen,
                "points": rise.points_after + 1,
                "train_before": rise.train_at_best,
                "train_after": rise.train_last,
            },
            severity="minor",
            variant="epochs",
        )


def _steadily(trend: LossTrend) -> Iterator[Finding]:
    """A rise over the whole log, too small for one that is a disaster."""
    whole = trend.whole
    if whole is None or whole.t < STEADY or whole.low < RISEN * abs(trend.start):
        return
    third = len(trend.blocks) // 3
    rise = mean(trend.blocks[-third:]) - mean(trend.blocks[:third])
    if rise > 0:
        yield _found(mean(trend.blocks[:third]), trend, "minor", "steady")


def _rises(trend: LossTrend) -> Iterator[Finding]:
    worse = min(trend.blocks[-(len(trend.blocks) // 3) :]) - trend.first
    lost = trend.lowest_late > trend.first  # else the first one may be low by chance
    chance = CLEAR * max(trend.noise, trend.scatter)
    if lost and worse > max(SHARE * abs(trend.first), chance):
        yield _found(trend.first, trend, "critical", "above")
    elif trend.tail is not None and trend.above >= MOST:
        yield from _risen(trend, trend.tail)
    else:
        yield from _lost(trend)


def _lost(trend: LossTrend) -> Iterator[Finding]:
    """A level that was reached, and lost at once for at least a quarter of the run.

    Every later twelfth lies above it by half of what had been gained: a step, which is over
    before the last third begins and leaves no rise in it.
    """
    low = trend.blocks.index(trend.best)
    after = trend.blocks[low + 1 :]
    gained = trend.start - trend.best
    if len(after) * 4 < len(trend.blocks) or gained <= 0:
        return
    kept_off = min(after) - trend.best
    if kept_off >= max(2 * SHARE * gained, LEVEL * abs(trend.best), CLEAR * trend.noise):
        yield _found(trend.best, trend, None)


def _risen(trend: LossTrend, tail: Slope) -> Iterator[Finding]:
    third = len(trend.blocks) // 3
    last = mean(trend.blocks[-third:])
    best = min(mean(trend.blocks[:third]), mean(trend.blocks[third:-third]))
    rise, gained = last - best, max(trend.start - trend.best, 0.0)
    if rise < max(SHARE * gained, LEVEL * abs(best)):
        return
    if trend.end < last - trend.noise or tail.high < 0:
        return
    yield _found(best, trend, "critical" if last > trend.start else None)


def _found(best: float, trend: LossTrend, severity: Severity | None, variant: str = "") -> Finding:
    last = mean(trend.blocks[-(len(trend.blocks) // 3) :])
    return Finding(
        measured={"best": best, "last": last, "rise": last - best, "updates": trend.updates},
        severity=severity,
        variant=variant,
    )


def _trend(*blocks: float, noise: float = 0.1, high: float = 0.5, above: float = 0.9) -> LossTrend:
    tail = Slope(high - 0.3, high - 0.6, high, 2.0)
    return LossTrend("ce", 1200, blocks, noise, tail=tail, above=above)


def _few(start: float, end: float, rising: float, below: float, above: float) -> FewLosses:
    return FewLosses("loss", 12, start, end, rising, 1 - rising, 90, below, above)


def _log(low: float, t: float) -> tuple[LossTrend, LogProgress]:
    blocks = (3.60, 3.61, 3.61, 3.62, 3.63, 3.64, 3.65, 3.66, 3.66, 3.67, 3.68, 3.69)
    slope = Slope(low + 0.02, low, low + 0.04, t)
    return LossTrend("loss", 900, blocks, 0.1, whole=slope), LogProgress("step", 900, 1, 900, 1)


def _epochs(last: float, train: float, after: int = 19, scatter: float = 0.25) -> LogEpochs:
    return LogEpochs(Rise(2.5, 132, last, 2.5, after, 1.2, train, 1.0, scatter), 1.2)


_FALL = (4.0, 3.0, 2.6, 2.4, 2.3, 2.2)
SICK = (
    Example(
        evidence=(LossTrend("ce", 250, (140.0, 150.0, 60.0, 30.0, 28.0, 27.0), 5.0, first=4.2),),
        finds=({"best": 4.2, "updates": 250},),
    ),
    # word_language_model's GRU: in the fourth of ten epochs it breaks, and stays there
    Example(
        (LossTrend("loss", 29647, (6.4, 5.5, 5.3, 5.2, *[6.5] * 8), 0.05),),
        finds=({"best": 5.2, "last": 6.5},),
    ),
    Example(
        evidence=(_trend(*_FALL, 2.2, 2.3, 3.0, 3.2, 3.4, 3.5),),
        finds=({"updates": 1200},),
    ),
    Example(
        evidence=(_trend(*_FALL, 2.2, 2.3, 5.0, 6.2, 6.4, 7.5),),
        finds=({"updates": 1200},),
    ),
    # a resumed run that rises by little, all along
    Example(_log(0.05, 7.0), finds=({"updates": 900},)),
    # twelve rows: a rise in order; a leap from which it does not come back
    Example((_few(1.42, 1.58, 1e-6, 1.5, 1.55),), finds=({"best": 1.42, "points": 12},)),
    Example((_few(4.9, 40.0, 0.01, 4.9, 31.0),), finds=({"step": 90, "last": 31.0},)),
    # five losses and twenty evaluations
    Example((_epochs(3.1, 1.8),), finds=({"best": 2.5, "last": 3.1, "points": 20},)),
)
HEALTHY = (
    # noise whose first value was low: others are as low; it is as slow as that
    Example((LossTrend("loss", 900, (1.25, 1.2, 1.19), 0.05, first=0.9, lowest_late=0.88),)),
    Example((LossTrend("loss", 900, (1.25, 1.2, 1.19), 0.05, first=0.9, scatter=0.16),)),
    # a slope that may be chance; one worth nothing; of a few rows the same, and a leap by half
    Example(_log(0.05, 3.0)),
    Example(_log(0.01, 7.0)),
    Example((_few(1.42, 1.58, 0.01, 1.5, 1.55),)),
    Example((_few(1.42, 1.46, 1e-6, 1.43, 1.44),)),
    Example((_few(4.9, 7.2, 0.01, 4.9, 7.3),)),
    # evaluations as near as their scatter; too few; training that fell (an overfit)
    Example((_epochs(2.9, 1.8),)),
    Example((_epochs(3.1, 1.8, after=9),)),
    Example((_epochs(3.1, 0.4),)),
    # a harder part of the data begins, and is being learnt; it comes at the very end
    Example((LossTrend("loss", 1200, (*_FALL[:4], 3.4, 3.3, 3.2, 3.1, 3.0, 2.9, 2.8, 2.7), 0.05),)),
    Example((LossTrend("loss", 1200, (*_FALL, *[2.2] * 4, 3.6, 3.6), 0.05),)),
    Example(evidence=(LossTrend("ce", 1200, (*_FALL, 2.2, 2.1, 2.1, 2.0, 2.0, 2.0), 0.1),)),
    # a rise smaller than a quarter of the gain; noise; a spike that is being recovered
    Example(evidence=(_trend(*_FALL, 2.2, 2.1, 2.3, 2.4, 2.4, 2.4),)),
    Example(evidence=(_trend(*([2.0] * 8), 2.1, 2.0, 2.2, 2.2, noise=1.5, above=0.2),)),
    Example(evidence=(_trend(*_FALL, 2.2, 2.1, 5.5, 4.0, 3.0, 2.2, high=-0.5),)),
)
