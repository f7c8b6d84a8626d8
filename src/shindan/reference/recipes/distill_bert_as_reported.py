"""The distillation of report 3 with its faults, to be relived and diagnosed.

The soft term is the KL of the answers without a temperature (``temperature=1``), with the default
reduction of ``kl_div``, which divides it by the 30,000 entries of the vocabulary as well
(``reduction=elements``); the hidden term is the error against a trained projection of the
*teacher's* states, which can collapse (``projection=down``); the head is apart from the embedding
(``model.tied=false``). Each can be set right alone. Before its author's changes there was no
hidden term (``hidden=0``); after them ``temperature=4 model.tied=true``, and still 14.6 %.

How much of the loss is soft is not reported, nor the optimizer: 0.9 here, and the right recipe's.
"""

from typing import Literal

from shindan.reference.recipes import distill_bert
from shindan.reference.recipes.recipe import TINY, Recipe, Said


class ReportedSettings(distill_bert.DistillSettings):
    """The faults that are no setting of a run that is right."""

    reduction: Literal["positions", "elements"] = "elements"
    """What the soft term is a mean over: masked positions, or these times the vocabulary."""
    projection: Literal["up", "down"] = "down"
    """Whose states go through the trained matrix: the student's, or the teacher's."""


RECIPE = Recipe(
    name="distill-bert-as-reported",
    settings=ReportedSettings,
    values={
        **distill_bert.RECIPE.values,
        "method": "logits",
        "temperature": 1.0,
        "soft": 0.9,
        "hard": 0.1,
        "hidden": 1.0,
        "model.tied": False,
    },
    sizes=distill_bert.SIZES,
    task=distill_bert.task,
    model=distill_bert.model,
    about=Said(
        "the distillation of report 3 with its faults",
        "報告3の知識蒸留（不具合を含む、報告どおりの設定）",
    ),
    data=distill_bert.RECIPE.data,
    expected={
        TINY: Said(
            "accuracy 17 %, no better than without the teacher (one seed)",
            "正解率17%、教師なしと変わらない（シード1個）",
        )
    },
)
