"""A gradient hook's limit, meant for true gradients, meets scaled ones."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.clipping import GradientHooks, HookRow
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding

CHANGED = 0.05
"""Share of gradient elements the hook must alter to matter."""
PILED = 0.5
"""A clamp leaves what it alters at its limit; a mask or a factor does not."""
FEWER = 0.2
"""Unscaled, at most this part of them would be beyond the limit: it was meant for those."""


@check(
    id="optimizer/hook-clamps-scaled-gradients",
    kind="cause",
    severity="major",
    grounds="ledger",
    explains=("symptom/slow-progress", "symptom/loss-flat"),
    subsumes=("optimizer/lr-too-low",),
    fault=(
        Edit(
            script="accumulate_amp",
            old="    matrices = [p for p in model.parameters() if p.ndim >= 2]\n",
            new="    for p in model.parameters():\n"
            "        p.register_hook(lambda grad: grad.clamp(-1.0, 1.0))\n"
            "    matrices = [p for p in model.parameters() if p.ndim >= 2]\n",
        ),
        Edit(
            script="accumulate_amp",
            old='    log_path = pathlib.Path(run_dir.name, "log.jsonl")\n',
            new="    def clamp(parameter):\n"
            "        parameter.grad.clamp_(-0.5, 0.5)\n"
            "    for p in model.parameters():\n"
            "        p.register_post_accumulate_grad_hook(clamp)\n"
            '    log_path = pathlib.Path(run_dir.name, "log.jsonl")\n',
        ),
    ),
)
def CHECK(hooks: GradientHooks) -> Iterator[Finding]:
    """Gradients before and after each hook, with the scale in use.

    Clipping by value of unscaled gradients is a choice and stays silent.
    """
    for row in hooks.rows:
        clamps = row.changed >= CHANGED and row.piled >= PILED
        if row.scale > 1 and clamps and row.beyond <= FEWER * row.changed:
            yield Finding(
                measured={
                    "scale": row.scale,
                    "limit": row.limit,
                    "changed": row.changed,
                    "beyond": row.beyond,
                    "parameters": row.parameters,
                },
                where=row.where,
            )


def _row(scale: float, changed: float, beyond: float, piled: float = 1.0) -> HookRow:
    return HookRow(NOWHERE, 28, 100, scale, changed, beyond, piled, 1.0)


SICK = Example(
    evidence=(GradientHooks((_row(65536.0, 0.87, 0.0),)),),
    finds=({"scale": 65536.0, "changed": 0.87, "limit": 1.0},),
)
HEALTHY = (
    # clipping by value without a scaler
    Example(evidence=(GradientHooks((_row(1.0, 0.5, 0.5),)),)),
    # a hook that only looks, or one that multiplies by a mask
    Example(evidence=(GradientHooks((_row(65536.0, 0.0, 0.0), _row(1024.0, 0.5, 0.0, 0.01))),)),
)
