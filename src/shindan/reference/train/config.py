"""What every recipe can be told; a recipe adds its model and what its data need."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
CountOrNever = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Settings(BaseModel):
    """The settings of the loop. "Updates" are steps of the optimizer, never micro-steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output_dir: Path
    """Where the run goes: settings, metrics, checkpoint and model."""
    resume: bool = False
    """Go on from the checkpoint in ``output_dir``."""
    data: str = "embedded"
    """``embedded``, or a file, a folder or the name of a data set that the recipe can read."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    max_updates: Count | None = None
    epochs: Positive | None = None
    batch_size: Count = 32
    """Rows of one micro-step on one rank."""
    accumulation: Count = 1
    """Micro-steps of one update."""
    evaluation_batch_size: Count = 32

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-4
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup_updates: CountOrNever | None = None
    warmup_share: Share = 0.0
    """Of the updates; ``warmup_updates``, where given, is used instead."""
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    momentum: Share = 0.0
    """Of sgd; more than 0 is Nesterov's."""
    weight_decay: NotNegative = 0.01
    """Of matrices and embeddings; gains and biases are left alone."""
    decay_everything: bool = False
    """Decay gains and biases too: a fault of report 0."""
    clip: NotNegative = 1.0
    """The largest norm of the gradient; 0 leaves it as it is."""
    label_smoothing: Share = 0.0
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Keep an average of the weights with this decay; evaluation and ``model.pt`` are its."""
    controller: Literal["none", "tsp"] = "none"
    """Above the schedule: the "TSP path optimizer" of report 2, its emergency rule repaired."""
    max_refused: Count = 5
    """So many non-finite updates in a row end the run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    """tf32: fp32 whose products on a GPU are rounded to 10 bits before they are summed."""
    compile: bool = False
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """What more than one rank (torchrun) does with the model."""

    log_every: Count = 1
    evaluate_every: Count | None = None
    """None: ten times in a run, and at its end."""
    save_every: Count | None = None
    """None: at each evaluation."""
    tensorboard: bool = False
    plot: bool | None = None
    """None: where matplotlib is installed."""


ALIASES = {
    "adam_beta1": "beta1",
    "adam_beta2": "beta2",
    "adam_epsilon": "epsilon",
    "eval_steps": "evaluate_every",
    "gradient_accumulation_steps": "accumulation",
    "label_smoothing_factor": "label_smoothing",
    "logging_steps": "log_every",
    "lr_scheduler_type": "schedule",
    "max_grad_norm": "clip",
    "max_steps": "max_updates",
    "num_train_epochs": "epochs",
    "optim": "optimizer",
    "per_device_eval_batch_size": "evaluation_batch_size",
    "per_device_train_batch_size": "batch_size",
    "resume_from_checkpoint": "resume",
    "save_steps": "save_every",
    "torch_compile": "compile",
    "warmup_ratio": "warmup_share",
    "warmup_steps": "warmup_updates",
    "bf16": "precision",
    "fp16": "precision",
    "tf32": "precision",
}
"""Names of Hugging Face's ``TrainingArguments`` for the same things."""

MEANINGS: dict[str, dict[str, object]] = {
    "bf16": {"true": "bf16", "false": "fp32"},
    "fp16": {"true": "fp16", "false": "fp32"},
    "tf32": {"true": "tf32", "false": "fp32"},
    "lr_scheduler_type": {"constant_with_warmup": "constant"},
    "max_steps": {"-1": None},
    "optim": {"adamw_torch": "adamw", "adamw_torch_fused": "adamw", "adamw_hf": "adamw"},
}
"""Values that ``TrainingArguments`` writes otherwise."""


def total_updates(settings: Settings, rows: int, world: int) -> int:
    """Updates of the whole run; an epoch ends with its last whole update over all ranks."""
    if settings.max_updates is not None:
        return settings.max_updates
    per_update = settings.batch_size * settings.accumulation * world
    return max(1, round((settings.epochs or 1.0) * rows / per_update))


def warmup(settings: Settings, updates: int) -> int:
    """Updates over which the learning rate rises."""
    if settings.warmup_updates is not None:
        return settings.warmup_updates
    return round(settings.warmup_share * updates)
