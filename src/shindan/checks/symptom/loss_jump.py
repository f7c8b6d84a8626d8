"""The loss jumps where a checkpoint was loaded and training went on.

Welch's t of the losses after the load against those before, and a jump worth SHARE of the loss:
a resume that restores everything continues the curve. T: 1e-6 for normal noise at ten to twenty
micro-steps a side; many runs are resumed, one alarm in a million is the aim.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.logs import LogProgress
from shindan.core.evidence.trend import Jump, LossTrend
from shindan.core.example import Example
from shindan.core.finding import Finding

T = 7.0
SHARE = 0.1


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
    """Higher after the load than before."""
    for jump in trend.jumps:
        height = jump.after - jump.before
        if height > max(T * jump.error, SHARE * abs(jump.before)):
            yield Finding(
                measured={
                    "update": jump.update,
                    "before": jump.before,
                    "after": jump.after,
                    "height": height,
                    "window": jump.window,
                },
                variant="log" if progress is not None else "",
            )


def _trend(after: float, error: float = 0.05) -> LossTrend:
    jump = Jump(60, 1.5, after, error, 20)
    return LossTrend("ce", 120, (3.0, 2.0, 1.6, 1.5, 1.4, 1.3), 0.1, jumps=(jump,))


SICK = Example(
    evidence=(_trend(3.2),), finds=({"update": 60, "before": 1.5, "after": 3.2, "window": 20},)
)
HEALTHY = (
    Example(evidence=(_trend(1.49),)),
    Example(evidence=(_trend(1.6),)),
    Example(evidence=(_trend(1.8, error=0.1),)),
    Example(evidence=(LossTrend("ce", 120, (3.0, 2.0, 1.6), 0.1),)),
)
