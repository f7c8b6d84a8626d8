"""The run of report 2 as it was: a causal LM that is kept from moving five times over.

1. Hooks clamp every gradient to +-10 while the GradScaler's 65,536 is still inside, micro-batch by
   micro-batch; what was infinite becomes finite, so that the scaler never backs off.
2. A GradScaler under bf16, which needs none.
3. The controller has seen norms vary by more than a quarter, as they always do, took it for an
   emergency and stays in its last city, a tenth of the rate.
4. The log tells the schedule's rate, not the optimizer's, and the norm before clipping twice.
5. Sixteen micro-steps of one row, whatever the configuration said; a third of the mixture is code.
"""

from pathlib import Path

import torch
from torch import Tensor

from shindan.reference.recipes import causal_mix
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.train.config import Settings
from shindan.reference.train.controller import CITIES
from shindan.reference.train.loop import Loop
from shindan.reference.train.metrics import Line
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.schedule import rate
from shindan.reference.train.task import Task


class ReportedLoop(Loop):
    """The loop with the report's faults, each in the method it replaces."""

    def __init__(self, task: Task, settings: Settings, ranks: Ranks, folder: Path) -> None:
        super().__init__(task, settings, ranks, folder)
        self.scaler = torch.amp.GradScaler(ranks.device.type, init_scale=65536.0)
        self.city = CITIES[-1]  # pinned 145 updates before the report's log begins
        for parameter in self.parameters:
            parameter.register_hook(safe_grad)

    def set_rate(self) -> float:
        """The controller's rate to the optimizer, the schedule's to the log."""
        settings = self.settings
        scheduled = rate(
            self.done, self.updates, settings.learning_rate, settings.schedule, self.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = scheduled * self.city.lr_scale
        return scheduled

    def update(self, *args: object) -> Line:
        """The norm before clipping under both names."""
        line = super().update(*args)  # type: ignore[arg-type]
        clip = self.settings.clip
        return {**line, "grad_norm_raw": line["grad_norm"], "grad_clip": clip}


def safe_grad(gradient: Tensor) -> Tensor:
    """Against NaN and Inf."""
    return torch.nan_to_num(gradient).clamp(-10.0, 10.0)


MIX = {"embedded-code": 0.34, "embedded": 0.33, "embedded-japanese": 0.33}
REPORTED: dict[str, object] = {
    "batch_size": 1, "accumulation": 16, "learning_rate": 0.05, "precision": "bf16", "log_every": 1,
}  # fmt: skip

RECIPE = Recipe(
    name="causal-mix-as-reported",
    settings=causal_mix.CausalSettings,
    values={"optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.1, "clip": 1.0},
    sizes={
        TINY: {**causal_mix.SIZES[TINY], **REPORTED, "mix": MIX, "max_updates": 62},
        "phase8": {**causal_mix.SIZES["phase8"], **REPORTED, "warmup_updates": 50},
    },
    task=causal_mix.task,
    model=causal_mix.model,
    about=Said(
        "report 2 as it was: clamped before unscaling, pinned by its controller, logged otherwise",
        "報告2のまま：unscale 前の clamp、固着した制御器、実際と異なる学習率のログ",
    ),
    data=causal_mix.RECIPE.data,
    expected={
        TINY: Said(
            "stays at the uniform line: loss 7.31 after 62 updates, as at first",
            "一様分布の水準から動かない：62 回の更新後も損失 7.31",
        ),
        "phase8": Said(
            "the report's: loss 9.15 on average over 62 updates, not falling",
            "報告の値：62 回の更新の平均損失 9.15、低下なし",
        ),
    },
    loop=ReportedLoop,
)
