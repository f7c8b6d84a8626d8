"""``bert-mlm`` as Hugging Face trains it: their BertForMaskedLM, their Trainer, our batches.

    python benchmarks/settling/hf_trainer.py size=small output_dir=OUT …

The words are those of ``shindan train bert-mlm``. Model and loop are theirs; configuration, rows,
masks, their order, the learning rate of each update and the evaluation are ours. What is left in
the folder is a run like any other, which ``shindan predict`` opens. One that is stopped begins
again.
"""

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from shindan.cli.train import settled
from shindan.reference.models import hf
from shindan.reference.models.bert import BertConfig
from shindan.reference.recipes import load
from shindan.reference.recipes.bert_mlm import MaskedSettings
from shindan.reference.train import checkpoint, resolve
from shindan.reference.train.config import total_updates, warmup
from shindan.reference.train.metrics import Line, Metrics, perplexity
from shindan.reference.train.ranks import joined
from shindan.reference.train.schedule import rate
from shindan.reference.train.task import Batch, Task, counted

NAMES = {"ids": "input_ids", "mask": "attention_mask", "labels": "labels"}
"""Ours and theirs; ``places`` is what their model has no use for."""


class Batches(Dataset[Batch]):
    """The batches of updates 0 to ``updates`` - 1, under their names."""

    def __init__(self, task: Task, updates: int) -> None:
        self.task, self.updates = task, updates

    def __len__(self) -> int:
        return self.updates

    def __getitem__(self, update: int) -> Batch:
        return theirs(self.task.training_batch(update))


class Trainer(transformers.Trainer):
    """Theirs, fed batch by batch in our order and with our learning rates.

    (Their warm-up begins at 0 and would be one update behind.)
    """

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """One item is one batch; made by another process, as ours are by another thread."""
        workers = 1 if torch.cuda.is_available() else 0
        batches: Any = self.train_dataset
        return DataLoader(batches, None, num_workers=workers, pin_memory=workers > 0)

    def create_scheduler(
        self, num_training_steps: int, optimizer: Optimizer | None = None
    ) -> LambdaLR:
        """Ours, as a factor of the peak."""
        shape = transformers.SchedulerType(self.args.lr_scheduler_type).value
        first, chosen = int(self.args.warmup_steps), cast(Optimizer, optimizer or self.optimizer)
        factor = partial(rate, updates=num_training_steps, peak=1.0, shape=shape, warmup=first)
        self.lr_scheduler = LambdaLR(chosen, factor)
        return self.lr_scheduler


Kind = TypeVar("Kind", bound=Trainer)


def theirs(batch: Batch) -> Batch:
    """A batch under the names of their model."""
    return {NAMES[name]: value for name, value in batch.items() if name in NAMES}


def their_model(config: BertConfig) -> Any:
    """Their BERT of that configuration, initialised by them."""
    said = {name: asdict(config)[ours] for ours, name in hf.BERT_FIELDS.items()}
    return transformers.BertForMaskedLM(transformers.BertConfig(**said))


def trainer_of(model: Any, task: Task, settings: MaskedSettings, kind: type[Kind]) -> Kind:
    """Their Trainer with our settings."""
    updates = total_updates(settings, task.rows, 1)
    return kind(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=str(settings.output_dir),
            max_steps=updates,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.schedule,
            warmup_steps=warmup(settings, updates),
            adam_beta1=settings.beta1,
            adam_beta2=settings.beta2,
            adam_epsilon=settings.epsilon,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.clip,
            optim="adamw_torch",
            bf16=settings.precision == "bf16",
            use_cpu=not torch.cuda.is_available(),
            seed=settings.seed,
            logging_steps=settings.log_every,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Batches(task, updates),
    )


@torch.no_grad()
def evaluated(model: Any, task: Task, settings: MaskedSettings, update: int) -> Line:
    """The mean over all labels of our validation batches, as our loop tells it."""
    model.eval()
    loss, right, labels = 0.0, 0, 0
    bf16 = settings.precision == "bf16"
    for batch in task.validation:
        here = {name: value.to(model.device) for name, value in batch.items()}
        inputs = theirs(here)
        target: Tensor = inputs.pop("labels").flatten()[here["places"]]
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
            logits = model(**inputs).logits.flatten(0, 1)[here["places"]].float()
        loss += float(F.cross_entropy(logits, target, reduction="sum"))
        right += int((logits.argmax(-1) == target).sum())
        labels += counted(batch)
    mean = loss / labels
    return {
        "kind": "validation", "update": update, "loss": mean, "accuracy": right / labels,
        "perplexity": perplexity(mean), "labels": labels,
    }  # fmt: skip


def main(words: list[str]) -> None:
    """Train, evaluate, and leave metrics and weights in the folder, by our names."""
    recipe = load("bert-mlm")
    resolved = settled(recipe, tuple(words))
    settings: MaskedSettings = resolved.settings
    folder = settings.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    with joined(settings) as ranks:
        task = recipe.task(settings, folder, ranks)
    transformers.set_seed(settings.seed)
    model = their_model(task.model.config)  # type: ignore[arg-type]
    trainer = trainer_of(model, task, settings, Trainer)
    done = trainer.train()
    resolve.save(resolved, folder)
    each = done.metrics["train_runtime"] / done.global_step
    with Metrics(folder, 0, tensorboard=False) as metrics:
        for line in trainer.state.log_history:
            if "loss" in line:
                told = {"kind": "train", "update": line["step"], "loss": line["loss"]}
                metrics.tell(told | {"seconds": each})
        metrics.tell(evaluated(model, task, settings, done.global_step))
    (folder / "training_loss.txt").write_text(f"{done.training_loss}\n", encoding="utf-8")
    keep(model, folder)


def keep(model: Any, folder: Path) -> None:
    """Their folder, and its weights as a run of ours has them."""
    place = folder / "huggingface"
    model.save_pretrained(place)
    checkpoint.write(folder / checkpoint.MODEL, hf.load_bert(place).state_dict())


if __name__ == "__main__":
    main(sys.argv[1:])
