"""Updates are rounded away in low-precision weights."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.precision import LostSample, LowPrecision
from shindan.core.example import Example
from shindan.core.finding import Finding

HALF, PART = 0.5, 0.25
"""Share of pushed elements that a step leaves bit for bit the same: most, or a good part."""
HIGH = 0.5
"""Part of the peak LR from which a sample counts: at the end of a decay any update is lost."""
MOST = 0.5
"""Share of the optimizer's elements in low precision."""


@check(
    id="numerics/bf16-updates-lost",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "torchtune#2254",
        "pytorch/ao#1124",
        "OneTrainer#996",
        "ml-by-hand#85",
        "pytorch#120376",
        "huggingface/blog#3386",
    ),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/undertrained"),
    fault=(
        Edit(
            script="sft_padded",
            old="torch.optim.AdamW(model.parameters(), lr=4e-3",
            new="torch.optim.AdamW(model.to(torch.bfloat16).parameters(), lr=1e-4",
        ),
    ),
)
def CHECK(low: LowPrecision) -> Iterator[Finding]:
    """Sampled elements with a gradient that a step did not move, at half of the peak LR or more.

    bf16 keeps 8 bits: a change below 1/256 of the value is lost. A large LR is not affected, and
    optimizers with fp32 masters, compensation or stochastic rounding are not judged.
    """
    peak = max((s.lr for s in low.samples), default=0.0)
    counted = [s for s in low.samples if s.pushed and s.lr >= HIGH * peak]
    pushed = sum(s.pushed for s in counted)
    if not pushed or low.share < MOST:
        return
    share = sum(s.unmoved for s in counted) / pushed
    if share >= PART:
        yield Finding(
            measured={
                "share": share,
                "dtype": low.dtype,
                "optimizer": low.optimizer,
                "elements": low.elements,
                "lr": peak,
                "samples": len(counted),
            },
            severity="major" if share >= HALF else "minor",
        )


def _low(unmoved: int, dtype: str = "bfloat16") -> LowPrecision:
    samples = tuple(LostSample(u, 1e-4, 1000, unmoved) for u in (1, 2, 4, 8))
    return LowPrecision(dtype, "AdamW", 70_000, 1.0, samples)


SICK = (
    Example(evidence=(_low(920),), finds=({"share": 0.92, "dtype": "bfloat16"},)),
    Example(evidence=(_low(300),), finds=({"share": 0.3},)),
)
HEALTHY = (
    # a large LR moves nearly everything
    Example(evidence=(_low(80),)),
    # lost at the end of the decay only
    Example(
        evidence=(
            LowPrecision(
                "bfloat16",
                "AdamW",
                70_000,
                1.0,
                (LostSample(1, 1e-3, 1000, 50), LostSample(64, 1e-6, 1000, 990)),
            ),
        )
    ),
)
