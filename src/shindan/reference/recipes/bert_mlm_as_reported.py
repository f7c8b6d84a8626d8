"""The encoder of report 0 as it was: what the author found, and what he missed.

Found: no embedding LayerNorm, no token types, positions times 0.1 under words that are not scaled,
ReLU, no dropout in attention. Missed: the mask of ones and zeros is *added* to the scores, no
transform before the decoder, Xavier's init, decay on gains and biases too. As there, the head is
applied at every position. `shindan run -m shindan train bert-mlm-as-reported` says what it says.
"""

from functools import partial

from shindan.reference.models.bert import vaswani_as_reported
from shindan.reference.recipes import bert_mlm
from shindan.reference.recipes.recipe import TINY, Recipe, Said, model_values
from shindan.reference.train.objectives import EveryPositionObjective

RECIPE = Recipe(
    name="bert-mlm-as-reported",
    settings=bert_mlm.MaskedSettings,
    values={"warmup_share": 0.06, "decay_everything": True},
    sizes={
        size: {**model_values(vaswani_as_reported()), **values}
        for size, values in bert_mlm.SIZES.items()
    },
    task=partial(bert_mlm.task, objective_of=EveryPositionObjective),
    model=bert_mlm.model,
    about=Said(
        "report 0 as it was: the self-made encoder with its faults",
        "報告0のまま：不具合を含む自作エンコーダー",
    ),
    data=bert_mlm.RECIPE.data,
    expected={
        TINY: Said(
            "validation loss 4.72 to 4.75, accuracy 21 to 22 % (3 seeds): so small, its faults "
            "do not show in the loss; watch it with shindan run -m shindan train",
            "検証損失 4.72〜4.75、正解率 21〜22 %（3シード）。この規模では不具合が損失に現れない。"
            "shindan run -m shindan train で診断できる",
        ),
        "base": Said(
            "the report's, on C4: training loss 4.92 in the third epoch",
            "報告の値（C4）：第3エポックの訓練損失 4.92",
        ),
    },
)
