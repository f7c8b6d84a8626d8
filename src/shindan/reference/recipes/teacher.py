"""Where a teacher comes from: a run of ours, files of Hugging Face, or a run made first."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from shindan.reference.data import tokenizers
from shindan.reference.data.errors import DataError
from shindan.reference.models.bert import MaskedLM
from shindan.reference.models.hf import CONFIG, HuggingFaceError, load_bert
from shindan.reference.recipes import load
from shindan.reference.recipes.bert_mlm import MaskedSettings
from shindan.reference.recipes.text import TextSettings
from shindan.reference.recipes.use import opened
from shindan.reference.refused import Refused
from shindan.reference.train import checkpoint, resolve
from shindan.reference.train.config import Settings
from shindan.reference.train.loop import Loop, train
from shindan.reference.train.ranks import Ranks

FOLDER = "teacher"
"""Of the teacher's run inside the student's."""
WANTED = ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
"""Files of a model on the hub that are read."""
SHARED = (
    *(name for name in TextSettings.model_fields if name not in Settings.model_fields),
    *("mask_rate", "whole_words"),
    *("data", "seed", "device", "precision", "compile", "parallel"),
)
"""What student and teacher have in common: the text, how it is asked, the machine."""

SENTENCES = {
    "no-teacher": (
        "there is no teacher {name}: it may be a run of bert-mlm or vaswani-mlm, a folder with "
        "config.json and model.safetensors, or a model's name on the hub ({why})",
        "教師 {name} が見つかりません。bert-mlm か vaswani-mlm の学習結果、config.json と "
        "model.safetensors のあるフォルダー、またはハブのモデル名を指定してください（{why}）",
    ),
    "teacher-not-readable": (
        "the teacher in {path} cannot be used: {why}",
        "{path} の教師モデルは使えません：{why}",
    ),
    "teacher-no-masked-model": (
        "the teacher in {path} is a run of {recipe}, which does not fill masks",
        "{path} の教師は {recipe} の学習結果で、マスクの穴埋めができません",
    ),
    "teacher-other-tokenizer": (
        "the teacher reads with {theirs}, but tokenizer={path} is {ours}: the ids of one mean "
        "nothing to the other; leave tokenizer out",
        "教師のトークナイザーは {theirs} ですが、tokenizer={path} は {ours} です。id の意味が"
        "異なるため併用できません。tokenizer の指定を外してください",
    ),
    "teacher-vocabulary": (
        "the teacher in {path} knows {known} ids, but its tokenizer has {needed}",
        "{path} の教師が扱える id は {known} 個ですが、トークナイザーには {needed} 個あります",
    ),
    "teacher-heads": (
        "attention is compared head by head, but the student has {own} heads and the teacher "
        "{taught}: set model.heads={taught}, or take method=minilm",
        "アテンションはヘッドごとに比較しますが、ヘッド数は生徒 {own}、教師 {taught} です。"
        "model.heads={taught} とするか、method=minilm を使ってください",
    ),
    "teacher-shape": (
        "from_teacher=true copies layers, so the student may differ from the teacher in "
        "model.layers alone; its width is {own}, the teacher's {taught}",
        "from_teacher=true は層を複製するので、生徒と教師で異なってよいのは model.layers だけです"
        "（幅は生徒 {own}、教師 {taught}）",
    ),
}
"""Key: English, Japanese."""


class TeacherError(Refused):
    """A teacher that cannot be had, or not by this student."""

    sentences = SENTENCES


def found(name: str) -> tuple[MaskedLM, Tokenizer]:
    """The teacher of that name and its tokenizer. Raises TeacherError in one sentence."""
    path = Path(name).expanduser()
    if not path.is_dir():
        path = downloaded(name)
    if (path / resolve.SAVED).exists():
        run = opened(path)
        if not isinstance(run.model, MaskedLM):
            raise TeacherError("teacher-no-masked-model", path=path, recipe=run.recipe)
        return run.model, run.tokenizer
    if not (path / CONFIG).exists():
        raise TeacherError("no-teacher", name=name, why=f"{path}: neither {CONFIG} nor a run")
    try:
        model, tokenizer = load_bert(path).float(), tokenizers.load(path)
    except (HuggingFaceError, DataError, OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise TeacherError("teacher-not-readable", path=path, why=why) from error
    needed, known = tokenizers.vocabulary_size(tokenizer), model.config.vocab_size
    if known < needed:
        raise TeacherError("teacher-vocabulary", path=path, known=known, needed=needed)
    return model, tokenizer


def downloaded(name: str) -> Path:
    """The folder of a model on the hub, fetched once."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        why = "pip install huggingface_hub"
        raise TeacherError("no-teacher", name=name, why=why) from error
    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
    except Exception as error:  # it has no common kind: names, network, missing files
        why = str(error).strip().partition("\n")[0]
        raise TeacherError("no-teacher", name=name, why=why) from error


def trained(
    settings: MaskedSettings, size: str, told: dict[str, Any], folder: Path, ranks: Ranks
) -> tuple[MaskedLM, Tokenizer]:
    """The teacher that a run of bert-mlm in ``folder`` makes, or has made.

    It reads the student's text, on the student's machine; all else is its size's, but for what is
    ``told``. A run that was interrupted goes on; one that is complete is used as it is.
    """
    recipe = load("bert-mlm")
    plain = resolve.plain(settings)
    shared = {key: plain[key] for key in SHARED}
    shared |= {"output_dir": folder, "resume": (folder / checkpoint.NAME).exists()}
    layers = [resolve.given(shared, "student"), resolve.given(told, "teacher_run")]
    resolved = recipe.resolve(size, *layers)
    if ranks.first:
        if resolved.settings.resume:
            resolve.same_run(resolved, folder)
        folder.mkdir(parents=True, exist_ok=True)
        resolve.save(resolved, folder)
    ranks.gathered(None)  # wait for the folder
    torch.manual_seed(resolved.settings.seed)
    task = recipe.task(resolved.settings, folder, ranks)
    loop = Loop(task, resolved.settings, ranks, folder)
    if loop.done < loop.updates:
        train(loop, lambda line: None)
    ranks.gathered(None)  # wait for the model
    return found(str(folder))
