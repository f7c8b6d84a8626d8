"""The tokens of a mixture, made without a model and on all cores: large mixtures take minutes."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from shindan.cli.train import settled
from shindan.reference.recipes import causal_mix, load
from shindan.reference.train.ranks import Ranks


def prepare(words: Sequence[str], folder: Path) -> None:
    """Tokenizer and token files of the run that ``words`` describe, into ``folder``."""
    recipe, *told = words
    settings = settled(load(recipe), tuple(told)).settings
    began = time.monotonic()
    sources = causal_mix.prepared(settings, folder, Ranks(0, 1, torch.device("cpu")))
    counts = ", ".join(
        f"{Path(name).name} {len(train) * settings.length:,}"
        for name, (train, _) in sources.items()
    )
    print(f"tokens to train on: {counts} ({time.monotonic() - began:.0f} s)", flush=True)
