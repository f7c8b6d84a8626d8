"""BERT, trained from scratch to fill masks (Devlin et al. 2019): what report 0 should have been."""

from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from shindan.reference.data import tokenizers
from shindan.reference.data.masking import masking
from shindan.reference.data.rows import FilledRows, SingleRows
from shindan.reference.models.bert import BertConfig, MaskedLM
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.text import (
    SPLIT_SEED,
    TextSettings,
    fits,
    in_batches,
    in_turn,
    kept_tokenizer,
    masked_batch,
    numbered,
    sized,
    source,
    tokenizer_of,
    training_and_validation,
)
from shindan.reference.train.objectives import EveryPositionObjective, MaskedObjective
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import Batch, Task


class MaskedSettings(TextSettings):
    """A masked model on text."""

    model: BertConfig = BertConfig()
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = 0.15
    whole_words: bool = False
    """Choose words, not pieces of words."""
    pack: bool = False
    """Several documents in a row, kept apart: as if each were alone, without padding."""


def task(
    settings: MaskedSettings,
    folder: Path,
    ranks: Ranks,
    objective_of: type[MaskedObjective] | type[EveryPositionObjective] = MaskedObjective,
) -> Task:
    """Documents as rows of [CLS] … [SEP], masked anew each time they come."""
    fits(settings.length, settings.model.max_positions)
    texts = partial(source, settings, settings.data)
    learn = tokenizers.train_wordpiece
    tokenizer = in_turn(ranks, lambda: tokenizer_of(settings, folder, learn, texts))
    parts = in_turn(ranks, lambda: training_and_validation(settings, folder, tokenizer))
    special = tokenizers.specials(tokenizer)
    begin, end, pad = special["begin"], special["end"], special["pad"]
    rows, kept_out = (SingleRows(part, settings.length, begin, end, whole=True) for part in parts)
    ask = masking(tokenizer, rate=settings.mask_rate, whole_words=settings.whole_words)
    length = settings.length if settings.compile else None
    training = FilledRows(rows, settings.length, SPLIT_SEED) if settings.pack else rows
    chosen = numbered(training, settings)

    def training_batch(number: int) -> Batch:
        return masked_batch(chosen(number), ask, pad, settings.seed, 1, number, length=length)

    validation = [
        masked_batch(some, ask, pad, 0, 2, number, length=length)
        for number, some in enumerate(in_batches(kept_out, settings.evaluation_batch_size))
    ]
    net = model(settings, folder)
    objective = objective_of(net, settings.label_smoothing)
    return Task(net, objective, len(training), training_batch, validation)


def model(settings: MaskedSettings, folder: Path) -> MaskedLM:
    """The encoder and its head, of the tokenizer's vocabulary."""
    return MaskedLM(sized(settings.model, kept_tokenizer(folder)))


VALUES: dict[str, object] = {"warmup_share": 0.06, "epsilon": 1e-6}
SIZES: dict[str, dict[str, object]] = {
    TINY: {
        "model.hidden": 64, "model.layers": 2, "model.heads": 2, "model.intermediate": 256,
        "model.max_positions": 128, "vocabulary": 1000, "length": 64,
        "unit": "paragraph", "distinct": True, "validation_share": 0.1,
        "max_updates": 600, "batch_size": 16, "learning_rate": 2e-3, "log_every": 10,
    },
    "small": {
        "model.hidden": 256, "model.layers": 4, "model.heads": 4, "model.intermediate": 1024,
        "model.max_positions": 128, "vocabulary": 8000, "length": 128,
        "max_updates": 5000, "batch_size": 64, "learning_rate": 5e-4, "log_every": 10,
    },
    "base": {
        "vocabulary": 30_522, "length": 128, "epochs": 3, "batch_size": 32,
        "learning_rate": 1e-4, "precision": "bf16", "log_every": 10,
    },
}  # fmt: skip

RECIPE = Recipe(
    name="bert-mlm",
    settings=MaskedSettings,
    values=VALUES,
    sizes=SIZES,
    task=task,
    model=model,
    about=Said(
        "BERT from scratch by masked words (post-LN, learned positions, tied head)",
        "BERT をマスク言語モデルとして一から学習（post-LN、学習位置、出力層を共有）",
    ),
    data=Said(
        "embedded: Python's documentation; real: WikiText-2, C4 realnewslike",
        "同梱：Python の文書。実データ：WikiText-2、C4 realnewslike",
    ),
    expected={
        TINY: Said(
            "validation loss 4.76 to 4.86, accuracy 20 to 22 % (3 seeds)",
            "検証損失 4.76〜4.86、正解率 20〜22 %（3シード）",
        ),
        "base": Said(
            "to beat, on C4: HF's BERT, training loss 4.75 in the third epoch",
            "目標（C4）：HF の BERT の第3エポックの訓練損失 4.75",
        ),
    },
)
