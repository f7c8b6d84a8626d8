"""The LogBERT of report 1 with its faults, to be relived and diagnosed.

What the report says of it: width 256, 4 layers, 4 heads, 65 % of the keys masked, 0.9 x keys +
0.1 x sphere, SGD with Nesterov's momentum at 1e-4 after 5 updates of warm-up, clipping at 10,
PyTorch's own init, and, added when the NaN came, a guard that skips batches and looks only after
``clip_grad_norm_`` has divided every gradient by a norm that is NaN. What it does not say, and is
likely of such code: seconds as they come into the embedding, a LayerNorm and a root written by
hand, padded places set to zero, the longest sessions first. Each can be set right alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shindan.reference.data.collate import padded
from shindan.reference.data.errors import DataError
from shindan.reference.data.order import generator
from shindan.reference.data.sessions import PAD, KeyVocabulary, Session
from shindan.reference.data.tokenizers import Ids
from shindan.reference.models.logbert_as_reported import ReportedConfig, ReportedLogBert
from shindan.reference.recipes import logbert
from shindan.reference.recipes.detector import Detector
from shindan.reference.recipes.log_seconds import Stamps, elapsed, stamps_of
from shindan.reference.recipes.log_sources import LogSettings, sessions_of
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.text import fits, in_batches, numbered
from shindan.reference.train.config import NotNegative, Settings
from shindan.reference.train.errors import TrainError
from shindan.reference.train.loop import Loop
from shindan.reference.train.metrics import Line
from shindan.reference.train.objectives import cross_entropy, with_places
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import Batch, Sums, Task


class ReportedSettings(LogSettings):
    """The faults that are no setting of a run that is right."""

    model: ReportedConfig = ReportedConfig()
    keys: NotNegative = 0.9
    """The weight of the masked keys."""
    guard: Literal["off", "after", "before"] = "after"
    """When gradients are looked at and the batch is skipped: never, after clipping, before it."""
    longest_first: bool = True
    """The sessions in order of their length, the same in every epoch."""


class ReportedObjective(nn.Module):
    """Both losses with their weights; the distance is the model's, with its root or without."""

    def __init__(self, model: ReportedLogBert, keys: float, sphere: float) -> None:
        super().__init__()
        self.model, self.keys, self.sphere = model, keys, sphere

    def forward(self, batch: Batch) -> Sums:
        """Sums over masked keys of a batch of ids, mask, seconds, labels, places."""
        hidden = self.model.encode(batch["ids"], batch["mask"], batch["seconds"])
        places = batch["places"]
        logits = self.model.head(hidden.flatten(0, 1)[places])
        sums = cross_entropy(logits, batch["labels"].flatten()[places], 0.0)
        nll, sphere = sums["loss"], self.model.distances(hidden).mean() * len(places)
        loss = self.keys * nll
        if self.sphere:  # 0 x NaN is NaN, forward and backward
            loss = loss + self.sphere * sphere
        return {**sums, "loss": loss, "nll": nll, "sphere": sphere}


class ReportedLoop(Loop):
    """The loop with the report's guard; beside it, how far a NaN had come before and after."""

    settings: ReportedSettings

    def __init__(self, task: Task, settings: Settings, ranks: Ranks, folder: Path) -> None:
        super().__init__(task, settings, ranks, folder)
        self.unfinite: dict[str, float] = {}

    def step(self, norm: Tensor, grad_norm: float) -> bool:
        """Clip, then look, then skip; or step whatever there is."""
        if self.settings.guard == "before":
            return super().step(norm, grad_norm)
        before = self.share_unfinite()
        if self.clip_at():
            nn.utils.clip_grad_norm_(self.parameters, self.clip_at())
        self.unfinite = {"unfinite_before": before, "unfinite_after": self.share_unfinite()}
        if self.settings.guard == "after" and self.unfinite["unfinite_after"]:
            return False
        self.scaler.step(self.optimizer)
        return True

    def share_unfinite(self) -> float:
        """Of the tensors that have a gradient, how many have one that is not finite anywhere."""
        found = [bool(p.grad.isfinite().all()) for p in self.parameters if p.grad is not None]
        return 1 - sum(found) / len(found)

    def update(self, *args: Any) -> Line:
        """With the shares, where the guard looked."""
        return {**super().update(*args), **self.unfinite}


class Row(NamedTuple):
    """A session as the model reads it."""

    ids: Ids
    seconds: NDArray[np.float32]
    """Of each id; [DIST] has the session's beginning."""


def task(settings: ReportedSettings, folder: Path, ranks: Ranks) -> Task:
    """As :func:`logbert.task`, with seconds beside the keys."""
    fits(8, settings.model.max_positions)
    if ranks.world > 1 and settings.parallel == "fsdp":
        raise TrainError("not-sharded", recipe="logbert-as-reported")
    sessions, cutting = sessions_of(settings)
    stamps: Stamps = {}
    if settings.model.time != "off":
        if cutting.templates is None:  # sessions of keys that somebody has made
            raise DataError("no-seconds", source=settings.data)
        stamps = stamps_of(settings.data)
    train, kept_out = logbert.parts(sessions, settings.validation_share)
    if ranks.first:
        logbert.keep(folder, KeyVocabulary.of(train), cutting, kept_out)
    ranks.gathered(None)  # wait for the files
    net = model(settings, folder)
    detector = Detector(net, logbert.kept(folder)[0], settings.ordered)
    rows, kept_rows = (rows_of(some, detector, stamps) for some in (train, kept_out))
    chosen = in_order(rows, settings)

    def batch(some: Sequence[Row], *numbers: int) -> Batch:
        ids, mask, seconds = together(some)
        inputs, labels = logbert.masked(ids, settings.mask_rate, generator(*numbers))
        return with_places({"ids": inputs, "mask": mask, "seconds": seconds, "labels": labels})

    def recentre(_: int = 0) -> None:
        device, every = net.centre.device, rows[:: -(-len(rows) // logbert.CENTRED_ON)]
        made = (together(some) for some in in_batches(every, settings.evaluation_batch_size))
        net.recentre(tuple(each.to(device) for each in one) for one in made)

    recentre()
    validation = [
        batch(some, 0, 2, number)
        for number, some in enumerate(in_batches(kept_rows, settings.evaluation_batch_size))
    ]
    return Task(
        net,
        ReportedObjective(net, settings.keys, settings.sphere),
        len(rows),
        lambda number: batch(chosen(number), settings.seed, 1, number),
        validation,
        after=recentre,
    )


def rows_of(sessions: Sequence[Session], detector: Detector, stamps: Stamps) -> list[Row]:
    """Sessions as rows; without stamps nothing is known of time."""
    made = []
    for session in sessions:
        zero = np.zeros(len(session.keys), np.float32)
        seconds = elapsed(session, stamps) if stamps else zero
        for ids, places in detector.pieces(session):
            made.append(Row(ids, np.concatenate([zero[:1], seconds[places]])))
    return made


def in_order(rows: list[Row], settings: ReportedSettings) -> Callable[[int], list[Row]]:
    """The rows of micro-batch ``n``, in a new order each epoch or always the longest first."""
    if not settings.longest_first:
        return numbered(rows, settings)
    size, ordered = settings.batch_size, sorted(rows, key=lambda row: -len(row.ids))
    return lambda n: [ordered[i % len(rows)] for i in range(n * size, (n + 1) * size)]


def together(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and seconds of rows, padded to the longest."""
    ids, mask = padded([row.ids for row in rows], PAD)
    seconds = torch.zeros(ids.shape)
    for b, row in enumerate(rows):
        seconds[b, : len(row.seconds)] = torch.from_numpy(row.seconds)
    return ids, mask, seconds


def model(settings: ReportedSettings, folder: Path) -> ReportedLogBert:
    """The model, of the run's keys."""
    vocabulary = logbert.kept(folder)[0]
    return ReportedLogBert(replace(settings.model, vocab_size=len(vocabulary)))


RECIPE = Recipe(
    name="logbert-as-reported",
    settings=ReportedSettings,
    values={
        "mask_rate": 0.65,
        "sphere": 0.1,
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "warmup_updates": 5,
        "clip": 10.0,
        "batch_size": 32,
        "evaluation_batch_size": 128,
        "max_refused": 1_000_000,
    },
    sizes={
        TINY: {
            "model.hidden": 64, "model.layers": 2, "model.intermediate": 256,
            "model.max_positions": 17, "batch_size": 16, "max_updates": 60, "log_every": 1,
        },
        "reported": {"max_updates": 600, "log_every": 1},
    },
    task=task,
    model=model,
    about=Said(
        "report 1 as it was: a NaN after some healthy batches, and a guard that hides it",
        "報告1のまま：最初の数バッチのあと NaN になり、ガードがそれを隠す",
    ),
    data=Said(
        "embedded: lines of a made log; real: a log file whose lines tell their time",
        "同梱：生成したログ。実データ：各行に時刻のあるログファイル",
    ),
    expected={
        TINY: Said(
            "every batch with padding has a NaN in its gradient, and is skipped",
            "パディングのあるバッチはすべて勾配が NaN になり、スキップされる",
        )
    },
    loop=ReportedLoop,
)  # fmt: skip
