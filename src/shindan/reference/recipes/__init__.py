"""The systems that can be trained: one short file each, and what they share."""

import difflib
from importlib import import_module
from typing import Any

from shindan.reference.recipes.recipe import Recipe
from shindan.reference.train.errors import TrainError

NAMES = (
    "bert-mlm",
    "vaswani-mlm",
    "causal-mix",
    "context-vector",
    "logbert",
    "bert-mlm-as-reported",
    "causal-mix-as-reported",
    "context-vector-as-reported",
    "distill-bert",
    "distill-bert-as-reported",
    "logbert-as-reported",
)


def load(name: str) -> Recipe[Any]:
    """The recipe of that name. Raises TrainError with the nearest one."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        if near:
            raise TrainError("no-recipe-near", name=name, near=near[0])
        raise TrainError("no-recipe", name=name, known=", ".join(NAMES))
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    recipe: Recipe[Any] = module.RECIPE
    return recipe
