"""The context-vector model of report 4, with residuals and an init that 12 layers can learn from.

The protocol is the report's (SYSTEMS.md, section 4): lower-cased words between white space, the
commonest kept, lines in windows; <unk> and <eos> count, padding does not. Perplexity is exp of the
mean over all labels; ``known`` and ``nll_known`` are the labels that are not <unk>, so that
exp(nll_known / known) is the perplexity without them.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from shindan.reference.data import tokenizers
from shindan.reference.data.collate import next_tokens
from shindan.reference.data.order import Shuffled
from shindan.reference.data.rows import Documents, WindowRows
from shindan.reference.data.text import Unit
from shindan.reference.data.tokenizers import Specials
from shindan.reference.models.context_vector import ContextVectorConfig, ContextVectorLM, Step
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.text import (
    TextSettings,
    in_turn,
    kept_tokenizer,
    sized,
    source,
    tokenizer_of,
    training_and_validation,
)
from shindan.reference.train.config import Count
from shindan.reference.train.graphs import Graphed
from shindan.reference.train.objectives import NextTokenObjective, cross_entropy
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import IGNORE, Batch, Sums, Task


class ContextVectorSettings(TextSettings):
    """A context-vector model on lines of words."""

    model: ContextVectorConfig = ContextVectorConfig()
    unit: Unit = "line"
    stride: Count = 32
    """Tokens from one window of a line to the next."""
    shortest: Annotated[int, Field(ge=0)] = 5
    """Lines of fewer words are dropped."""


class KnownWordsObjective(NextTokenObjective):
    """Tells beside the loss, in evaluation, how much of it is not <unk>'s."""

    model: ContextVectorLM

    def __init__(
        self, model: ContextVectorLM, smoothing: float, unknown: int, *, graphs: bool = False
    ) -> None:
        super().__init__(model, smoothing)
        self.unknown = unknown
        self.step: Step | None = None
        self.graphed = Graphed(model, self.learnt) if graphs else None

    def compile(self, *_: object, **__: object) -> None:
        """Compile one position, not the unrolled loop, which would take minutes."""
        self.step = torch.compile(self.model.step, fullgraph=True, dynamic=False)

    def learnt(self, ids: Tensor, labels: Tensor) -> Sums:
        """Sums over labels (B, L) of what follows ids (B, L)."""
        logits = self.model(ids, self.step).flatten(0, 1)
        return cross_entropy(logits, labels.flatten(), self.smoothing)

    def forward(self, batch: Batch) -> Sums:
        """Sums of a batch of ids and labels."""
        if self.training:
            learnt = self.learnt if self.graphed is None else self.graphed
            return learnt(batch["ids"], batch["labels"])
        logits = self.model(batch["ids"]).flatten(0, 1)  # other shapes and mode than were compiled
        labels = batch["labels"].flatten()
        sums = cross_entropy(logits, labels, 0.0)
        known = labels.masked_fill(labels == self.unknown, IGNORE)
        sums["known"] = (known != IGNORE).sum()
        sums["nll_known"] = F.cross_entropy(logits.float(), known, reduction="sum")
        return sums


def task(settings: ContextVectorSettings, folder: Path, ranks: Ranks) -> Task:
    """Lines in windows of ``length`` tokens; each position is asked for the next."""
    texts = partial(source, settings, settings.data)
    learn = tokenizers.train_words
    tokenizer = in_turn(ranks, lambda: tokenizer_of(settings, folder, learn, texts))
    parts = in_turn(ranks, lambda: training_and_validation(settings, folder, tokenizer))
    special = tokenizers.specials(tokenizer)
    rows, kept_out = (windows(settings, part, special) for part in parts)
    shuffled, size = Shuffled(rows, settings.seed), settings.batch_size

    def training_batch(number: int) -> Batch:
        return batch(rows[shuffled.places(number * size, size)], special["pad"])

    validation = [
        batch(ids, special["pad"]) for ids in kept_out.split(settings.evaluation_batch_size)
    ]
    net = model(settings, folder)
    # one update, one call: graphs overwrite the gradients of a call before
    alone = ranks.world == 1 and settings.accumulation == 1
    graphs = settings.compile and alone and ranks.device.type == "cuda"
    objective = KnownWordsObjective(net, settings.label_smoothing, special["unk"], graphs=graphs)
    return Task(net, objective, len(rows), training_batch, validation)


def windows(
    settings: ContextVectorSettings, documents: Documents, special: Specials
) -> Int[Tensor, "rows length"]:
    """The ids of all windows of the documents, padded."""
    rows = WindowRows(
        documents, special["begin"], special["end"], special["pad"],
        length=settings.length, stride=settings.stride, shortest=settings.shortest,
    )  # fmt: skip
    return torch.from_numpy(np.stack(list(rows)))


def batch(ids: Int[Tensor, "rows length"], pad: int) -> Batch:
    """These windows, each position labelled with the id that follows."""
    return {"ids": ids, "mask": ids != pad, "labels": next_tokens(ids, pad=pad)}


def model(settings: ContextVectorSettings, folder: Path) -> ContextVectorLM:
    """The model, of the tokenizer's vocabulary."""
    return ContextVectorLM(sized(settings.model, kept_tokenizer(folder)))


REPORTED: dict[str, object] = {
    "model.embedding": 256, "model.hidden": 512, "length": 64, "stride": 32, "vocabulary": 996,
    "evaluation_batch_size": 2048, "log_every": 5,
}  # fmt: skip
"""The report's protocol and width."""
CONTEXT_AND_LAYERS: dict[str, dict[str, object]] = {
    "six": {"model.context": 256, "model.layers": 6},
    "twelve": {"model.context": 512, "model.layers": 12},
}
FOUND: dict[str, object] = {
    "batch_size": 512, "learning_rate": 2e-3, "weight_decay": 0.1, "warmup_share": 0.05,
    "max_updates": 1500, "precision": "bf16", "compile": True,
}  # fmt: skip
"""The best of six that were tried (docs/findings/report-4-figure.md); longer runs learn the
training text by heart."""
SIZES: dict[str, dict[str, object]] = {
    TINY: {
        "model.embedding": 64, "model.hidden": 128, "model.context": 64, "model.layers": 4,
        "length": 24, "stride": 12, "vocabulary": 300, "validation_share": 0.1,
        "max_updates": 200, "batch_size": 32, "learning_rate": 3e-3, "log_every": 10,
    },
    **{name: {**REPORTED, **size, **FOUND} for name, size in CONTEXT_AND_LAYERS.items()},
}  # fmt: skip

RECIPE = Recipe(
    name="context-vector",
    settings=ContextVectorSettings,
    values={
        "model.residual": True,
        "model.init": "scaled",
        "weight_decay": 0.0,
        "schedule": "cosine",
        "warmup_share": 0.02,
    },
    sizes=SIZES,
    task=task,
    model=model,
    about=Said(
        "an LM without attention or positions, with residual layers (report 4)",
        "注意機構も位置もない文脈ベクトル言語モデル、残差つき（報告4）",
    ),
    data=Said(
        "embedded: Python's documentation; real: WikiText-2 raw, lines",
        "同梱：Python の文書。実データ：WikiText-2 raw、行単位",
    ),
    expected={
        TINY: Said(
            "validation perplexity 23.2 to 23.4 (3 seeds)",
            "検証パープレキシティ 23.2〜23.4（3シード）",
        ),
        "six": Said(
            "validation perplexity 19.8, without <unk> 45.9, test 19.1 (1 seed; the report: 20.1)",
            "検証パープレキシティ 19.8、<unk> を除くと 45.9、テスト 19.1（1シード。報告は 20.1）",
        ),
        "twelve": Said(
            "without decay 20.9 after 500 updates, 20.4 after 1,000 (six: 21.4, 20.5)",
            "重み減衰なしで 500 回後 20.9、1,000 回後 20.4（six は 21.4、20.5）",
        ),
    },
)
