"""A BERT distilled into a small student that fills masks: what report 3 should have been.

``teacher`` is a run, a folder of Hugging Face's or a name on its hub; where none is given, one is
trained first, in the run's folder. ``method=alone`` is the same student without a teacher.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from tokenizers import Tokenizer

from shindan.reference.data import tokenizers
from shindan.reference.data.tokens import TokenFile
from shindan.reference.models.bert import MaskedLM
from shindan.reference.recipes import bert_mlm
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.teacher import FOLDER, TeacherError, found, trained
from shindan.reference.recipes.text import TOKENIZER, fits, kept_tokenizer
from shindan.reference.train.config import Count, NotNegative, Positive, Share, total_updates
from shindan.reference.train.distillation import (
    DistillationObjective,
    Teacher,
    copy_layers,
    with_answers,
)
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import Batch, Task
from shindan.reference.train.terms import Losses

Method = Literal["alone", "logits", "combined", "minilm", "distilbert", "tinybert"]

METHODS: Mapping[str, Losses] = {
    "alone": Losses(hard=1),
    "logits": Losses(soft=1, temperature=2, hard=1),
    "combined": Losses(soft=1, temperature=2, hard=1, hidden=0.5, relations=0.5),
    "minilm": Losses(soft=1, temperature=2, hard=1, relations=1),
    "distilbert": Losses(soft=5, temperature=2, hard=2, cosine=1),
    "tinybert": Losses(soft=1, hidden=1, embeddings=1, attention=1, states_first=0.5),
}
"""The published weights where there are any (DistilBERT, TinyBERT). MiniLMv2 itself learns
relations alone, and no head; here the student has to fill masks too."""


class DistillSettings(bert_mlm.MaskedSettings):
    """A student, its teacher, and what is learnt from it. Weights that are None are the method's.

    The tokenizer is the teacher's: its answers are about its own ids.
    """

    teacher: str | None = None
    """A run, a folder of Hugging Face's or a name on its hub; None: one is trained first."""
    teacher_size: str = TINY
    """The size of bert-mlm that is then trained, on this run's text."""
    teacher_run: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Other settings of that run, as max_updates."""
    method: Method = "combined"
    """What is learnt from the teacher; alone: nothing, and a teacher given is only told beside."""
    temperature: Positive | None = None
    soft: NotNegative | None = None
    hard: NotNegative | None = None
    hidden: NotNegative | None = None
    embeddings: NotNegative | None = None
    attention: NotNegative | None = None
    cosine: NotNegative | None = None
    relations: NotNegative | None = None
    states_first: Share | None = None
    from_teacher: bool | None = None
    """Begin with the teacher's embeddings and every second, third … of its layers; None: the
    method distilbert does, where student and teacher differ in nothing but layers."""
    rows_at_once: Count = 1024
    """Masked positions whose logits are held at one time."""


def task(settings: DistillSettings, folder: Path, ranks: Ranks) -> Task:
    """The masked model's task, its objective with a teacher beside."""
    losses = losses_of(settings)
    teacher = teacher_of(settings, losses, folder, ranks)
    torch.manual_seed(settings.seed)  # the student's init is the same whatever teacher was made
    plain = bert_mlm.task(settings, folder, ranks)
    student = plain.model
    assert isinstance(student, MaskedLM)
    if teacher is not None:
        fits(settings.length, teacher.model.config.max_positions)
        begin(settings, student, teacher.model, losses)
        teacher.model.to(ranks.device)
    commonest = commonest_id(folder)
    stages = stages_of(settings, losses, plain.rows, ranks)
    return replace(
        plain,
        objective=DistillationObjective(
            student, teacher, losses, settings.rows_at_once, settings.label_smoothing
        ),
        training_batch=lambda number: stages(plain.training_batch(number), number),
        validation=[with_answers(batch, teacher, commonest) for batch in plain.validation],
    )


def model(settings: DistillSettings, folder: Path) -> MaskedLM:
    """The student, of the tokenizer's vocabulary."""
    return bert_mlm.model(settings, folder)


def losses_of(settings: DistillSettings) -> Losses:
    """The method's terms with the weights that were told."""
    told = {field.name: getattr(settings, field.name, None) for field in fields(Losses)}
    known: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    return replace(METHODS[settings.method], **known)


def teacher_of(
    settings: DistillSettings, losses: Losses, folder: Path, ranks: Ranks
) -> Teacher | None:
    """The teacher, if there is to be one; its tokenizer is left in ``folder`` for the student."""
    if settings.teacher is not None:
        model, tokenizer = found(settings.teacher)
        refuse_another(settings, tokenizer)
    elif losses.needs_teacher:
        model, tokenizer = trained(
            settings, settings.teacher_size, settings.teacher_run, folder / FOLDER, ranks
        )
    else:
        return None
    if ranks.first:
        tokenizer.save(str(folder / TOKENIZER))
    ranks.gathered(None)  # wait for the file
    return Teacher(model)


def refuse_another(settings: DistillSettings, theirs: Tokenizer) -> None:
    """Refuse a tokenizer beside a teacher that reads with another."""
    if settings.tokenizer is None:
        return
    ours = tokenizers.load(settings.tokenizer)
    if tokenizers.fingerprint(ours) != tokenizers.fingerprint(theirs):
        raise TeacherError(
            "teacher-other-tokenizer",
            path=settings.tokenizer,
            ours=tokenizers.describe(ours),
            theirs=tokenizers.describe(theirs),
        )


def begin(settings: DistillSettings, student: MaskedLM, teacher: MaskedLM, losses: Losses) -> None:
    """Refuse what cannot be compared; begin with the teacher's layers where that is asked for."""
    own, taught = student.config, teacher.config
    if losses.attention and own.heads != taught.heads:
        raise TeacherError("teacher-heads", own=own.heads, taught=taught.heads)
    alike = replace(own, layers=taught.layers, vocab_size=taught.vocab_size) == taught
    if settings.from_teacher and not alike:
        raise TeacherError("teacher-shape", own=own.hidden, taught=taught.hidden)
    if settings.from_teacher or (settings.from_teacher is None and alike and losses.cosine):
        copy_layers(student, teacher)


def commonest_id(folder: Path) -> int:
    """The content token that the run's text has most often."""
    tokenizer = kept_tokenizer(folder)
    content = tokenizers.content_ids(tokenizer)
    counts = np.bincount(
        TokenFile(folder / "train.tokens", tokenizer).ids, minlength=content[-1] + 1
    )
    return int(content[counts[content].argmax()])


@dataclass(frozen=True)
class Stages:
    """Marks training batches with what they teach: (states, answers), each 1 or 0."""

    first: int
    """The micro-batch at which answers begin; 0 where all is learnt together."""

    def __call__(self, batch: Batch, number: int) -> Batch:
        """The batch of that number, marked."""
        if not self.first:
            return batch
        answers = float(number >= self.first)
        return {**batch, "stage": torch.tensor([1 - answers, answers])}


def stages_of(settings: DistillSettings, losses: Losses, rows: int, ranks: Ranks) -> Stages:
    """The two stages of a run whose epoch has so many rows."""
    updates = round(losses.states_first * total_updates(settings, rows, ranks.world))
    return Stages(updates * settings.accumulation * ranks.world)


SIZES: dict[str, dict[str, object]] = {
    TINY: {
        **bert_mlm.SIZES[TINY],
        "model.hidden": 32, "model.layers": 2, "model.heads": 2, "model.intermediate": 128,
        "model.dropout": 0.0, "model.attention_dropout": 0.0,
        "teacher_size": TINY,
    },
    "small": {
        **bert_mlm.SIZES["small"],
        "model.hidden": 128, "model.layers": 4, "model.heads": 4, "model.intermediate": 512,
        "teacher_size": "small",
    },
    "base": {
        **bert_mlm.SIZES["base"],
        "model.hidden": 256, "model.layers": 6, "model.heads": 4, "model.intermediate": 1024,
        "learning_rate": 5e-4,
        "teacher_size": "base",
    },
}  # fmt: skip

RECIPE = Recipe(
    name="distill-bert",
    settings=DistillSettings,
    values=bert_mlm.VALUES,
    sizes=SIZES,
    task=task,
    model=model,
    about=Said(
        "a BERT distilled into a small student by masked words (report 3, right)",
        "BERT をマスク言語モデルで小さな生徒に知識蒸留（報告3の正しい版）",
    ),
    data=Said(
        "embedded: Python's documentation; real: WikiText-2. teacher= a run or a BERT; else one is "
        "trained first",
        "同梱：Python の文書。実データ：WikiText-2。teacher= に学習結果か BERT を指定"
        "（省略時は先に学習）",
    ),
    expected={
        TINY: Said(
            "accuracy 21 %, the teacher's 20 %, without it (method=alone) 17 % (one seed)",
            "正解率21%、教師は20%、教師なし（method=alone）は17%（シード1個）",
        )
    },
)
