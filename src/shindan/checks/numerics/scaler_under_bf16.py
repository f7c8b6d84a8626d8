"""A GradScaler scales losses that were computed in bf16."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.scaling import LossScaling
from shindan.core.example import Example
from shindan.core.finding import Finding


@check(
    id="numerics/scaler-under-bf16",
    kind="risk",
    severity="minor",
    grounds="ledger",
    fault=(
        Edit(
            script="accumulate_amp",
            old='torch.autocast("cpu", dtype=torch.float16, enabled=amp)',
            new='torch.autocast("cpu", dtype=torch.bfloat16)',
        ),
    ),
)
def CHECK(scaling: LossScaling) -> Iterator[Finding]:
    """Every forward ran under bf16, and the scale really multiplies (it is not 1)."""
    if scaling.bf16 == scaling.scaled and scaling.scale != 1.0:
        yield Finding({"count": scaling.bf16, "scale": scaling.scale}, scaling.where)


SICK = Example(evidence=(LossScaling(40, 40, 65536.0),), finds=({"count": 40, "scale": 65536.0},))
HEALTHY = (
    Example(evidence=(LossScaling(40, 0, 65536.0),)),
    # fp16 in one part of the model
    Example(evidence=(LossScaling(40, 20, 65536.0),)),
    # switched off by its scale
    Example(evidence=(LossScaling(40, 40, 1.0),)),
)
