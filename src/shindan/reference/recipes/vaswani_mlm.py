"""The self-made encoder of report 0, right: Vaswani et al. 2017's inputs, pre-LN, masks filled."""

from shindan.reference.models.bert import vaswani
from shindan.reference.recipes import bert_mlm
from shindan.reference.recipes.recipe import TINY, Recipe, Said, model_values

SIZES = {
    size: {**values, **model_values(vaswani(hidden=hidden))}
    for (size, values), hidden in zip(bert_mlm.SIZES.items(), (64, 256, 768), strict=True)
}
SIZES[TINY]["model.heads"] = 2

RECIPE = Recipe(
    name="vaswani-mlm",
    settings=bert_mlm.MaskedSettings,
    values=bert_mlm.VALUES,
    sizes=SIZES,
    task=bert_mlm.task,
    model=bert_mlm.model,
    about=Said(
        "the self-made encoder of report 0, right (pre-LN, sinusoids, words times the root of H)",
        "報告0の自作エンコーダーの正しい版（pre-LN、正弦波位置、単語埋め込みを √H 倍）",
    ),
    data=bert_mlm.RECIPE.data,
    expected={
        TINY: Said(
            "validation loss 4.81 to 4.88, accuracy 18 to 21 % (3 seeds)",
            "検証損失 4.81〜4.88、正解率 18〜21 %（3シード）",
        ),
        "base": Said(
            "to beat, on C4: training loss 4.20 in the third epoch (report 0, mended)",
            "目標（C4）：第3エポックの訓練損失 4.20（報告0の修正版）",
        ),
    },
)
