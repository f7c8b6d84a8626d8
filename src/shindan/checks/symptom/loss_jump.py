"""The loss jumps where a checkpoint was loaded and training went on, or in the midst of a log.

Welch's t of the losses after the load against those before, and a jump worth SHARE of the loss:
a resume that restores everything continues the curve. T: 1e-6 for normal noise at ten to twenty
micro-steps a side; many runs are resumed, one alarm in a million is the aim. A resume of a log
after which the loss is lower by as much, beyond what the losses before it were falling by, did not
go on with the same run: information.

In the midst of a log the place with the largest t of forty rows a side is looked at, if the five
rows next to it show half of the height (``logs/shifts.py``); neighbouring losses are correlated and
places are many, so the error is at least what such sides differ by elsewhere in the same log. Of
series of AR(1) noise, normal or of Student's t with 4 degrees, with coefficients from 0 to 0.99 and
1,000 or 10,000 rows, 99 % then stay below 5.5. The height must be TALL besides, above which no hard
batch of a healthy run stands (``symptom/loss-spikes``).

Where the learning rate leaps the place is known: there the five rows on either side must lie apart
by half of the height, and by as much as a spike does from the noise of one row. A log that begins
late is of a resumed run: its first loss, at the level of the later ones, is the side before, the
five rows after it the other.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.logs import LogProgress
from shindan.core.evidence.trend import Jump, LossTrend
from shindan.core.example import Example
from shindan.core.finding import Finding

T = 7.0
SHARE = 0.1
TALL = 0.25


@check(
    id="symptom/loss-jump",
    kind="symptom",
    severity="minor",
    grounds="threshold",
    refs=("the_well#77",),
    fault=Edit(
        script="resume",
        old='    model.load_state_dict(state["model"])',
        new='    weights = {f"module.{k}": v for k, v in state["model"].items()}\n'
        "    model.load_state_dict(weights, strict=False)",
    ),
)
def CHECK(trend: LossTrend, progress: LogProgress | None) -> Iterator[Finding]:
    """Another level after the load than before."""
    for jump in trend.jumps:
        height = jump.after - jump.before
        least = max(T * jump.error, (SHARE if jump.loaded else TALL) * abs(jump.before))
        down = jump.loaded and progress is not None and height + jump.goes_on < -least
        if height > least or down:
            plain = ("begins" if jump.window == 1 else "log") if progress is not None else ""
            yield Finding(
                measured={
                    "update": jump.update,
                    "before": jump.before,
                    "after": jump.after,
                    "height": height,
                    "window": jump.window,
                },
                severity="info" if down else None,
                variant=plain if jump.loaded else "shift",
            )


def _trend(after: float, error: float = 0.05) -> LossTrend:
    jump = Jump(60, 1.5, after, error, 20)
    return LossTrend("ce", 120, (3.0, 2.0, 1.6, 1.5, 1.4, 1.3), 0.1, jumps=(jump,))


_LOG = LogProgress("step", 120, 1, 120, 1)


def _shift(after: float, error: float = 0.05) -> LossTrend:
    jump = Jump(60, 0.8, after, error, 40, loaded=False)
    return LossTrend("loss", 120, (3.0, 2.0, 1.6, 0.8, 1.2, 1.1), 0.1, jumps=(jump,))


SICK = (
    Example(
        evidence=(_trend(3.2),), finds=({"update": 60, "before": 1.5, "after": 3.2, "window": 20},)
    ),
    Example((_trend(1.2, error=0.01), _LOG), finds=({"before": 1.5, "after": 1.2},)),
    # a log from update 19072 on: the weights were right, the rest was not
    Example(
        (
            LossTrend("loss", 900, (3.1, 3.0), 0.05, jumps=(Jump(60, 3.02, 3.52, 0.06, 1),)),
            _LOG,
        ),
        finds=({"before": 3.02, "after": 3.52, "window": 1},),
    ),
    Example((_shift(1.25), _LOG), finds=({"before": 0.8, "after": 1.25},)),
)
HEALTHY = (
    # a level no higher than a hard batch; one that may be chance
    # a resume of a loss that was falling as fast before it
    Example(
        (
            LossTrend(
                "loss", 120, (3.0, 2.0), 0.1, jumps=(Jump(60, 1.5, 1.2, 0.01, 20, True, 0.25),)
            ),
            _LOG,
        )
    ),
    Example((_shift(0.95, error=0.01), _LOG)),
    Example((_shift(1.25, error=0.07), _LOG)),
    Example(evidence=(_trend(1.49),)),
    Example(evidence=(_trend(1.6),)),
    Example(evidence=(_trend(1.8, error=0.1),)),
    Example(evidence=(LossTrend("ce", 120, (3.0, 2.0, 1.6), 0.1),)),
)
