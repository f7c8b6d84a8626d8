"""The loss leaps up for several updates and comes back.

A spike stands 8 robust sd and a quarter of its level above the median of the twenty updates
before it, for at least three updates in a row (``diagnose.trend``): one hard batch is gone with
the next update, an update that damaged the weights is not.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.logs import LogProgress
from shindan.core.evidence.trend import LossTrend, Spike
from shindan.core.example import Example
from shindan.core.finding import Finding


@check(
    id="symptom/loss-spikes",
    kind="symptom",
    severity="minor",
    grounds="threshold",
    refs=("marin#1368", "llm-foundry#317"),
    fault=Edit(
        script="gpt_plain",
        old="    lr = get_lr(it)\n",
        new="    lr = get_lr(it) * (30 if it == 60 else 1)\n",
    ),
)
def CHECK(trend: LossTrend, progress: LogProgress | None) -> Iterator[Finding]:
    """Spikes from which the run came back; one that lasts is ``symptom/loss-diverging``."""
    spikes = [s for s in trend.spikes if s.recovered]
    if not spikes:
        return
    worst = max(spikes, key=lambda s: s.height)
    yield Finding(
        measured={
            "count": len(spikes),
            "update": worst.update,
            "height": worst.height,
            "usual": worst.usual,
            "lasted": worst.lasted,
        },
        variant="log" if progress is not None else "",
    )


def _trend(*spikes: Spike) -> LossTrend:
    return LossTrend("ce", 1200, (4.0, 3.0, 2.5, 2.4, 2.3, 2.2), 0.1, spikes=spikes)


SICK = Example(
    evidence=(_trend(Spike(600, 3.0, 2.4, 0.1, 9, True), Spike(900, 1.0, 2.3, 0.1, 4, True)),),
    finds=({"count": 2, "update": 600, "height": 3.0, "lasted": 9},),
)
HEALTHY = (
    Example(evidence=(_trend(),)),
    Example(evidence=(_trend(Spike(600, 3.0, 2.4, 0.1, 600, False)),)),
)
