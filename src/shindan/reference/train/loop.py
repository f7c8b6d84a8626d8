"""The one training loop of all systems, from the top to the bottom of an update.

What it promises: the gradient is that of the mean loss over all counted labels of an update, over
micro-steps and ranks alike; an update whose gradient is not finite is refused before clipping could
spread it; the learning rate that is logged is the one the optimizer used; and a run that was
killed goes on from its checkpoint bit for bit as it would have.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from shindan.reference.train import checkpoint
from shindan.reference.train.average import Average
from shindan.reference.train.config import Settings, total_updates, warmup
from shindan.reference.train.controller import PathController
from shindan.reference.train.errors import Diverged, TrainError
from shindan.reference.train.metrics import Line, Metrics, perplexity
from shindan.reference.train.ranks import Ranks, whole
from shindan.reference.train.schedule import rate
from shindan.reference.train.task import Batch, Sums, Task, counted, tokens

PRECISIONS = {
    "fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16,
}  # fmt: skip


VARYING = {"places", "starts"}
"""Of a batch, what is longer in one and shorter in another."""


class Loop:
    """One run. ``done`` counts updates, refused ones too: the position in data and schedule."""

    def __init__(self, task: Task, settings: Settings, ranks: Ranks, folder: Path) -> None:
        self.task, self.settings, self.ranks, self.folder = task, settings, ranks, folder
        self.updates = total_updates(settings, task.rows, ranks.world)
        self.warmup = warmup(settings, self.updates)
        torch.set_float32_matmul_precision("high" if settings.precision == "tf32" else "highest")
        if settings.compile:
            task.objective.compile()
        self.objective = ranks.shared(task.objective, settings.parallel)
        self.parameters = [p for p in self.objective.parameters() if p.requires_grad]
        self.optimizer = optimizer_of(self.parameters, settings, fused=ranks.device.type == "cuda")
        self.scaler = self.make_scaler()
        self.controller = self.make_controller() if settings.controller == "tsp" else None
        self.average = Average(task.model, settings.ema) if settings.ema is not None else None
        self.done = self.refused = self.refused_in_a_row = self.tokens = 0
        self.ahead: Future[list[Batch]] | None = None
        torch.manual_seed(settings.seed + 7919 * ranks.rank)  # dropout differs between ranks
        if settings.resume:
            self.restore()

    def make_scaler(self) -> torch.amp.GradScaler:
        """Of use under fp16 alone, whose range gradients leave."""
        enabled = self.settings.precision == "fp16"
        return torch.amp.GradScaler(self.ranks.device.type, enabled=enabled)

    def make_controller(self) -> PathController:
        """The controller with its alarm repaired."""
        return PathController(self.settings.seed)

    def run(self, tell: Callable[[Line], None]) -> Line:
        """Train to the end; ``tell`` hears every line of metrics. Returns the last evaluation."""
        settings = self.settings
        evaluate_every = settings.evaluate_every or max(1, self.updates // 10)
        save_every = settings.save_every or evaluate_every
        last: Line = {}
        if self.done == 0:
            tell(self.evaluate())
        with ThreadPoolExecutor(1) as pool:
            while self.done < self.updates:
                line = self.update(pool)
                if self.done % settings.log_every == 0 or line["refused"]:
                    tell(line)
                over = self.done == self.updates
                if over or self.done % evaluate_every == 0:
                    last = self.evaluate()
                    tell(last)
                if over or self.done % save_every == 0:
                    self.save()
        return last or self.evaluate()

    def update(self, pool: ThreadPoolExecutor) -> Line:
        """One step of the optimizer, from its micro-batches to the line of metrics."""
        began = time.perf_counter()
        ranks = self.ranks
        self.objective.train()
        lr = self.set_rate()
        batches = self.batches(pool)
        labels = max(1.0, ranks.total(sum(map(counted, batches))))
        sums: Sums = {}
        for number, batch in enumerate(batches, 1):
            with ranks.syncing(self.objective, last=number == len(batches)):
                found = self.forward(batch)
                # One mean over all labels of the update; DDP and FSDP2 divide by the ranks.
                self.scaler.scale(found["loss"] * (ranks.world / labels)).backward()
            add(sums, found)
        self.scaler.unscale_(self.optimizer)
        norm = whole(
            nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        )
        # The only wait for the device: it then steps while the next update is being prepared.
        grad_norm, *told = torch.stack([norm.float(), *sums.values()]).tolist()
        refused = not self.step(norm, grad_norm)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.done += 1
        self.tokens += int(ranks.total(sum(map(tokens, batches))))
        means = {n: ranks.total(value) / labels for n, value in zip(sums, told, strict=True)}
        self.take_note(means["loss"], grad_norm, refused)
        line = {
            "kind": "train", "update": self.done, **means, "lr": lr, "grad_norm": grad_norm,
            "labels": int(labels), "tokens": self.tokens, "refused": refused,
            "seconds": round(time.perf_counter() - began, 4),
        }  # fmt: skip
        if self.controller is not None:
            line["city"] = self.controller.city.name
        return line

    def step(self, norm: Tensor, grad_norm: float) -> bool:
        """Clip and step, unless the gradient is not finite: clipping would spread what is wrong."""
        if not math.isfinite(grad_norm):
            return False
        limit = self.clip_at()
        if limit:
            nn.utils.clip_grads_with_norm_(self.parameters, limit, norm)
        self.scaler.step(self.optimizer)
        return True

    def set_rate(self) -> float:
        """The schedule's rate, scaled by the controller; the optimizer's own value comes back."""
        settings = self.settings
        lr = rate(self.done, self.updates, settings.learning_rate, settings.schedule, self.warmup)
        if self.controller is not None:
            lr *= self.controller.city.lr_scale
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return float(self.optimizer.param_groups[0]["lr"])

    def clip_at(self) -> float:
        """The largest norm allowed to this update; 0 for none."""
        scale = 1.0 if self.controller is None else self.controller.city.clip_scale
        return self.settings.clip * scale

    def take_note(self, loss: float, grad_norm: float, refused: bool) -> None:
        """Count refusals, follow with the average, let the controller see.

        A scale that fp16 has not yet found refuses updates by design; it does not recur once the
        scale is 1.
        """
        if refused:
            self.refused += 1
            searching = self.scaler.is_enabled() and self.scaler.get_scale() > 1.0
            self.refused_in_a_row += not searching
        else:
            self.refused_in_a_row = 0
            if self.average is not None:
                self.average.follow(self.done)
        if self.controller is not None:
            self.controller.observe(loss, grad_norm, refused)
        if self.refused_in_a_row >= self.settings.max_refused:
            raise Diverged(
                "diverged", update=self.done, row=self.refused_in_a_row, all=self.refused
            )

    def batches(self, pool: ThreadPoolExecutor) -> list[Batch]:
        """The micro-batches of the next update; those of the one after are made meanwhile."""
        ready = self.made(self.done) if self.ahead is None else self.ahead.result()
        self.ahead = pool.submit(self.made, self.done + 1) if self.done + 1 < self.updates else None
        return ready

    def made(self, update: int) -> list[Batch]:
        """This rank's micro-batches of ``update``: numbers run over ranks, then micro-steps."""
        ranks, steps = self.ranks, self.settings.accumulation
        first = update * steps * ranks.world + ranks.rank
        found = [self.task.training_batch(first + step * ranks.world) for step in range(steps)]
        if ranks.device.type == "cuda":
            return [{name: value.pin_memory() for name, value in b.items()} for b in found]
        return found

    def forward(self, batch: Batch) -> Sums:
        """The objective's sums, in the precision asked for; weights and sums stay fp32."""
        device, dtype = self.ranks.device, PRECISIONS[self.settings.precision]
        here = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        if self.settings.compile:
            for name in here.keys() & VARYING:  # or each new number of them is compiled for anew
                torch._dynamo.maybe_mark_dynamic(here[name], 0)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            sums: Sums = self.objective(here)
        return sums

    @torch.no_grad()
    def evaluate(self) -> Line:
        """Means over all labels of the fixed batches, in eval mode, of the averaged weights if any.

        Every rank looks at all batches: the same number of forwards on each, and no sum to share.
        """
        self.objective.eval()
        sums: Sums = {}
        labels = 0
        with self.averaged():
            for batch in self.task.validation:
                add(sums, self.forward(batch))
                labels += counted(batch)
        if self.task.after is not None:
            self.task.after(self.done)
        means = {name: float(value) / max(1, labels) for name, value in sums.items()}
        means["perplexity"] = perplexity(means.get("nll", means["loss"]))
        return {"kind": "validation", "update": self.done, **means, "labels": labels}

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Inside, the model has its averaged weights, if an average is kept."""
        return contextlib.nullcontext() if self.average is None else self.average.in_place()

    def save(self) -> None:
        """Checkpoint and model; every rank takes part, the first writes."""
        kept: dict[str, Any] = checkpoint.states(self.objective, self.optimizer)
        kept |= {
            "done": self.done, "refused": self.refused, "tokens": self.tokens,
            "refused_in_a_row": self.refused_in_a_row,
            "scaler": self.scaler.state_dict(),
            "controller": None if self.controller is None else self.controller.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "random": self.ranks.gathered(checkpoint.random_states()),
        }  # fmt: skip
        with self.averaged():
            inside = self.task.model.state_dict()
            model = {name: whole(value).cpu().clone() for name, value in inside.items()}
        if self.ranks.first:
            checkpoint.write(self.folder / checkpoint.NAME, kept)
            checkpoint.write(self.folder / checkpoint.MODEL, model)

    def restore(self) -> None:
        """Go on from the checkpoint in the folder."""
        kept = checkpoint.read(self.folder / checkpoint.NAME)
        if len(kept["random"]) != self.ranks.world:
            raise TrainError(
                "resume-other", key="ranks", old=len(kept["random"]), new=self.ranks.world
            )
        checkpoint.put_back(self.objective, self.optimizer, kept)
        self.done, self.refused, self.tokens = kept["done"], kept["refused"], kept["tokens"]
        self.refused_in_a_row = kept["refused_in_a_row"]
        self.scaler.load_state_dict(kept["scaler"])
        if self.controller is not None:
            self.controller.load_state_dict(kept["controller"])
        if self.average is not None:
            self.average.put_back(kept["average"])
        checkpoint.put_back_random(kept["random"][self.ranks.rank])


def train(loop: Loop, tell: Callable[[Line], None]) -> Line:
    """Run the loop with its metrics written to its folder. Returns the last evaluation."""
    if not loop.ranks.first:
        return loop.run(lambda line: None)
    with Metrics(loop.folder, loop.done, loop.settings.tensorboard) as metrics:

        def heard(line: Line) -> None:
            metrics.tell(line)
            tell(line)

        return loop.run(heard)


def optimizer_of(parameters: Iterable[Tensor], settings: Settings, fused: bool) -> Optimizer:
    """AdamW or SGD; decay on matrices and embeddings, none on gains and biases (below 2 axes)."""
    parameters = list(parameters)
    axes = 0 if settings.decay_everything else 2
    groups = [
        {
            "params": [p for p in parameters if p.ndim >= axes],
            "weight_decay": settings.weight_decay,
        },
        {"params": [p for p in parameters if p.ndim < axes], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        momentum = settings.momentum
        return SGD(groups, settings.learning_rate, momentum=momentum, nesterov=momentum > 0)
    betas = (settings.beta1, settings.beta2)
    return AdamW(groups, settings.learning_rate, betas, settings.epsilon, fused=fused)


def add(sums: Sums, found: Sums) -> None:
    """Add ``found`` to ``sums``, without its graph."""
    for name, value in found.items():
        value = value.detach().float()
        sums[name] = sums[name] + value if name in sums else value
