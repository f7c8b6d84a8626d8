"""The context-vector model of report 4 as it was: 12 layers, none with a residual, init N(0, 0.02).

The learning rate stayed at 1e-4 while the batch went from 32 to 512. (The report's clipping, .5 for
ten epochs, 1 for twenty and 2 after, is .5 here.) Sixteenfold rows and an unscaled rate leave 5,000
updates for what took 43,065.
"""

from shindan.reference.recipes import context_vector
from shindan.reference.recipes.recipe import TINY, Recipe, Said

RECIPE = Recipe(
    name="context-vector-as-reported",
    settings=context_vector.ContextVectorSettings,
    values={"weight_decay": 0.0, "schedule": "constant", "clip": 0.5},
    sizes={
        TINY: {**context_vector.SIZES[TINY], "model.layers": 12, "learning_rate": 1e-3},
        "twelve": {
            **context_vector.REPORTED, **context_vector.CONTEXT_AND_LAYERS["twelve"],
            "learning_rate": 1e-4, "batch_size": 512, "evaluation_batch_size": 512, "epochs": 50,
        },
    },
    task=context_vector.task,
    model=context_vector.model,
    about=Said(
        "report 4 as it was: 12 layers that fade, and a learning rate for a sixteenth of the batch",
        "報告4のまま：信号が減衰する12層と、バッチを16倍にしても据え置いた学習率",
    ),
    data=context_vector.RECIPE.data,
    expected={
        TINY: Said(
            "stays at the token frequencies: perplexity 39 to 42 (3 seeds)",
            "トークン頻度だけの水準から動かない：パープレキシティ 39〜42（3シード）",
        ),
        "twelve": Said(
            "perplexity 47.4 after 2,000 updates (1 seed); the report's: 36.45 after 5,000",
            "2,000 回の更新後にパープレキシティ 47.4（1シード）。報告の値：5,000 回後に 36.45",
        ),
    },
)  # fmt: skip
