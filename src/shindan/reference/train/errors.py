"""What can be wrong with settings and runs, in one sentence a user can act on."""

from shindan.reference.refused import Refused

SENTENCES = {
    # settings
    "not-a-setting": (
        "{word!r} is no setting; write key=value",
        "{word!r} は設定ではありません。key=value の形で指定してください",
    ),
    "unknown-key": (
        "there is no setting {key} ({source}); there are {known}",
        "{key} という設定はありません（{source}）。指定できるのは {known} です",
    ),
    "unknown-key-near": (
        "there is no setting {key} ({source}); did you mean {near}?",
        "{key} という設定はありません（{source}）。もしかして：{near}",
    ),
    "given-twice": (
        "{key} is given twice ({source})",
        "{key} が二度指定されています（{source}）",
    ),
    "bad-value": (
        "{key} cannot be {value} ({source}); it takes {allowed}",
        "{key} に {value} は指定できません（{source}）。指定できる値：{allowed}",
    ),
    "settings-do-not-fit": (
        "the settings do not fit together: {error}",
        "設定どうしが整合しません：{error}",
    ),
    "config-not-readable": (
        "the settings in {path} cannot be read: {error}",
        "{path} の設定を読めません：{error}",
    ),
    "needs-extra": (
        "{what} needs {package}; install it with pip install {package}",
        "{what} には {package} が必要です。pip install {package} でインストールしてください",
    ),
    "no-recipe": (
        "there is no recipe {name}; there are {known}",
        "{name} というレシピはありません。指定できるのは {known} です",
    ),
    "no-recipe-near": (
        "there is no recipe {name}; did you mean {near}?",
        "{name} というレシピはありません。もしかして：{near}",
    ),
    "no-size": (
        "the recipe has no size {size}; it has {known}",
        "このレシピに {size} というサイズはありません。指定できるのは {known} です",
    ),
    "rows-too-long": (
        "length={length}, but the model has only model.max_positions={most}",
        "length={length} が model.max_positions={most} を超えています",
    ),
    # the machine
    "no-gpu": (
        "device=cuda, but no GPU can be used here",
        "device=cuda が指定されましたが、GPU を使えません",
    ),
    "fp16-needs-gpu": (
        "precision=fp16 needs a GPU; use bf16 or fp32 on a CPU",
        "precision=fp16 には GPU が必要です。CPU では bf16 か fp32 を使ってください",
    ),
    "fp16-not-sharded": (
        "precision=fp16 and parallel=fsdp do not go together; use bf16, or parallel=ddp",
        "precision=fp16 と parallel=fsdp は併用できません。bf16 か parallel=ddp を使ってください",
    ),
    "not-sharded": (
        "{recipe} cannot be trained with parallel=fsdp; use parallel=ddp",
        "{recipe} は parallel=fsdp では学習できません。parallel=ddp を使ってください",
    ),
    # runs
    "folder-taken": (
        "{path} holds a run already; go on with resume=true, or choose another output_dir",
        "{path} にはすでに学習結果があります。resume=true で続けるか、別の output_dir を"
        "指定してください",
    ),
    "not-writable": (
        "{path} cannot be written: {error}",
        "{path} に書き込めません：{error}",
    ),
    "no-run": (
        "there is no run at {path}; `shindan train` tells where it put one",
        "{path} に学習結果がありません。場所は `shindan train` の最後に表示されます",
    ),
    "no-checkpoint": (
        "there is no {path}: the run has not saved anything yet",
        "{path} がありません：まだ何も保存されていません",
    ),
    "bad-checkpoint": (
        "{path} cannot be used: {error}",
        "{path} は使えません：{error}",
    ),
    "begin-other": (
        "the run in {path} is of another model or tokenizer, so this one cannot begin with its "
        "weights",
        "{path} はモデルかトークナイザーが異なるため、その重みから学習を始められません",
    ),
    "resume-other": (
        "the run began with {key} {old}, and is now to go on with {new}; settings of a resumed run "
        "stay as they were",
        "この学習は {key} を {old} として始まりましたが、再開時は {new} になっています。再開時の"
        "設定は元のままにしてください",
    ),
    "diverged": (
        "the gradient was not finite {row} times in a row, the last at update {update} ({all} in "
        "all); the checkpoint is from before",
        "勾配が {row} 回連続で有限ではありませんでした（最後は更新 {update}、全部で {all} 回）。"
        "チェックポイントはそれ以前のものです",
    ),
    # use
    "wrong-kind": (
        "{path} is a run of {recipe}, which cannot be asked this",
        "{path} は {recipe} の学習結果なので、この用途には使えません",
    ),
    "no-mask": (
        "the text has no [MASK] to be filled",
        "テキストに [MASK] がありません",
    ),
    "not-one-token": (
        "{word!r} is not one token to the run at {path}",
        "{word!r} は {path} のトークナイザーでは1トークンになりません",
    ),
    "too-long": (
        "the text has {length} tokens, and the model takes {most}",
        "テキストは {length} トークンですが、モデルが扱えるのは {most} トークンまでです",
    ),
}
"""Key: English, Japanese."""


class TrainError(Refused):
    """A setting or a run that cannot be used."""

    sentences = SENTENCES


class Diverged(TrainError):
    """The gradient was not finite, again and again."""
