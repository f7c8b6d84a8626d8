"""The Japanese causal LM of report 2, right: mixed sources, packed rows, one learning rate.

``mix`` maps sources to their shares of the rows. The embedded mixture is Japanese (this package's
own pages on faults), English (Python's documentation) and code (a part of Python's own). Code in
earnest is ``standard-library``: the sources of the Python that runs, 12 MB, which differ a little
between its versions.
"""

import asyncio
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import resources
from itertools import zip_longest
from pathlib import Path

from tokenizers import Tokenizer

from shindan.reference.data import tokenizers
from shindan.reference.data.collate import next_tokens, packed, starts_of
from shindan.reference.data.mixture import Mixture
from shindan.reference.data.rows import PackedRow, PackedRows, split
from shindan.reference.models.causal import CausalConfig, CausalLM
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.text import (
    SPLIT_SEED,
    TextSettings,
    fits,
    in_turn,
    kept_tokenizer,
    sized,
    source,
    tokenizer_of,
    tokens_of,
)
from shindan.reference.train.config import Count, Positive
from shindan.reference.train.objectives import NextTokenObjective
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import Batch, Task

EMBEDDED = {
    "embedded-japanese": (Path(str(resources.files("shindan"))) / "checks", "*.ja.md"),
    "embedded-code": (Path(asyncio.__file__).parent, "*.py"),
    "standard-library": (Path(sysconfig.get_path("stdlib")), "*.py"),
}
"""Folders and patterns of text that is on every machine; "embedded" is the English."""
NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
"""Folders of what others installed there, and of tests, whose text is often no text."""


class CausalSettings(TextSettings):
    """A causal model on a mixture."""

    model: CausalConfig = CausalConfig()
    mix: dict[str, Positive] | None = None
    """Sources (each what ``data`` may be) and their weights; None: ``data`` alone."""
    separate_documents: bool = True
    """Whether attention and labels stay inside a document of a packed row."""
    evaluation_rows: Count = 64
    vocabulary_multiple: Count = 1
    """The model's vocabulary is rounded up to it: GPUs multiply round matrices faster."""


def task(settings: CausalSettings, folder: Path, ranks: Ranks) -> Task:
    """Documents packed into rows of ``length``, sources taken in turn by their weights."""
    fits(settings.length, settings.model.max_positions)
    mix = shares(settings)
    parts = prepared(settings, folder, ranks)
    rows = Mixture({name: train for name, (train, _) in parts.items()}, mix, settings.seed)
    kept_out = Mixture({name: kept for name, (_, kept) in parts.items()}, mix, SPLIT_SEED)

    def batch(some: list[PackedRow]) -> Batch:
        ids, documents = packed(some)
        if not settings.separate_documents:
            return {"ids": ids, "labels": next_tokens(ids)}
        labels = next_tokens(ids, documents)
        starts = starts_of(documents)
        return {"ids": ids, "documents": documents, "starts": starts, "labels": labels}

    size = settings.evaluation_batch_size
    validation = [
        batch([kept_out[i] for i in range(first, min(first + size, settings.evaluation_rows))])
        for first in range(0, settings.evaluation_rows, size)
    ]

    def training_batch(number: int) -> Batch:
        first = number * settings.batch_size
        return batch([rows[i] for i in range(first, first + settings.batch_size)])

    net = model(settings, folder)
    objective = NextTokenObjective(net, settings.label_smoothing)
    return Task(net, objective, len(rows), training_batch, validation)


def shares(settings: CausalSettings) -> Mapping[str, float]:
    """The sources and their weights."""
    return settings.mix or {settings.data: 1.0}


def prepared(
    settings: CausalSettings, folder: Path, ranks: Ranks
) -> dict[str, tuple[PackedRows, PackedRows]]:
    """(training rows, rows kept out) of each source; tokenizer and tokens stay in ``folder``."""
    mix = shares(settings)
    everything = partial(in_turns, [partial(texts, settings, name) for name in mix])
    learn = tokenizers.train_bpe
    tokenizer = in_turn(ranks, lambda: tokenizer_of(settings, folder, learn, everything))
    end = tokenizers.specials(tokenizer)["end"]
    return {
        name: in_turn(ranks, partial(rows_of, settings, folder, tokenizer, number, name, end))
        for number, name in enumerate(mix)
    }


def model(settings: CausalSettings, folder: Path) -> CausalLM:
    """The decoder, of the tokenizer's vocabulary."""
    return CausalLM(sized(settings.model, kept_tokenizer(folder), settings.vocabulary_multiple))


def texts(settings: CausalSettings, name: str) -> Iterator[str]:
    """The documents of a source."""
    if name not in EMBEDDED:
        return source(settings, name)
    folder, pattern = EMBEDDED[name]
    paths = sorted(folder.rglob(pattern))
    own = (path for path in paths if NOT_LIBRARY.isdisjoint(path.relative_to(folder).parts))
    return (text for text in map(content, own) if text.strip())


def content(path: Path) -> str:
    """A file's text, in the encoding that Python would read it in (PEP 263; else UTF-8)."""
    with tokenize.open(path) if path.suffix == ".py" else path.open(encoding="utf-8") as file:
        return file.read()


def in_turns(sources: list[partial[Iterator[str]]]) -> Iterator[str]:
    """One document of each source after another, so that the first of them hold all languages."""
    for some in zip_longest(*(make() for make in sources)):
        yield from (text for text in some if text is not None)


def rows_of(
    settings: CausalSettings, folder: Path, tokenizer: Tokenizer, number: int, name: str, end: int
) -> tuple[PackedRows, PackedRows]:
    """A source's training rows and the rows kept out."""
    path = folder / f"source-{number}.tokens"
    tokens = tokens_of(path, tokenizer, partial(texts, settings, name))
    train, kept_out = split(tokens, settings.validation_share, SPLIT_SEED)
    return PackedRows(train, settings.length, end), PackedRows(kept_out, settings.length, end)


SIZES: dict[str, dict[str, object]] = {
    TINY: {
        "mix": {"embedded-japanese": 0.34, "embedded": 0.33, "embedded-code": 0.33},
        "model.hidden": 64, "model.layers": 2, "model.heads": 2, "model.intermediate": 256,
        "model.max_positions": 64, "model.dropout": 0.0, "model.attention_dropout": 0.0,
        "vocabulary": 1500, "length": 64, "validation_share": 0.1,
        "max_updates": 200, "batch_size": 8, "learning_rate": 3e-3, "log_every": 10,
    },
    "small": {
        "model.hidden": 128, "model.layers": 4, "model.heads": 4, "model.intermediate": 512,
        "model.max_positions": 64, "model.dropout": 0.0, "model.attention_dropout": 0.0,
        "vocabulary": 4000, "length": 64, "batch_size": 32, "max_updates": 1000,
        "learning_rate": 3e-3, "warmup_updates": 100, "separate_documents": False,
    },
    "124m": {
        "vocabulary_multiple": 128,
        "model.dropout": 0.0, "model.attention_dropout": 0.0, "vocabulary": 50_257, "length": 1024,
        "batch_size": 64, "max_updates": 1000, "learning_rate": 6e-4,
        "warmup_updates": 100, "precision": "bf16", "compile": True, "log_every": 10,
        "separate_documents": False,
    },
    "300m": {
        "vocabulary_multiple": 128,
        "model.hidden": 1024, "model.layers": 24, "model.heads": 16, "model.intermediate": 4096,
        "model.max_positions": 512, "model.dropout": 0.0, "model.attention_dropout": 0.0,
        "vocabulary": 32_000, "length": 512,
        "batch_size": 32, "accumulation": 2, "max_updates": 1000, "learning_rate": 3e-4,
        "warmup_updates": 100, "precision": "bf16", "compile": True, "log_every": 10,
        "separate_documents": False,
    },
    "phase8": {
        "model.hidden": 4096, "model.layers": 48, "model.heads": 32, "model.intermediate": 16_384,
        "model.max_positions": 512, "model.dropout": 0.0, "model.attention_dropout": 0.0,
        "model.rank": 16, "model.ternary": True, "vocabulary": 32_000, "length": 512,
        "batch_size": 4, "accumulation": 16, "max_updates": 3500, "learning_rate": 3e-4,
        "warmup_updates": 100, "precision": "bf16", "log_every": 10,
    },
}  # fmt: skip

RECIPE = Recipe(
    name="causal-mix",
    settings=CausalSettings,
    values={"schedule": "cosine", "warmup_share": 0.05, "beta2": 0.95, "weight_decay": 0.1},
    sizes=SIZES,
    task=task,
    model=model,
    about=Said(
        "a causal LM on a mixture of Japanese, English and code (report 2)",
        "日本語・英語・コードを混合した因果言語モデル（報告2）",
    ),
    data=Said(
        "embedded: this package's pages, Python's documentation and code; real: mix={path: weight}",
        "同梱：本パッケージの解説、Python の文書とコード。実データ：mix={パス: 重み}",
    ),
    expected={
        TINY: Said(
            "validation loss 5.63 to 5.79, from 7.3 (3 seeds)",
            "検証損失 7.3 から 5.63〜5.79 へ（3シード）",
        ),
        "small": Said(
            "validation loss 4.78, from 8.32 (docs/findings/report-2.md, one seed)",
            "検証損失 8.32 → 4.78（docs/findings/report-2.md、シード1個）",
        ),
        "300m": Said(
            "training loss 4.55, validation 5.10 after 1,000 updates, 3.3 minutes on an H200 "
            "(docs/findings/report-2.md, one seed); report 2's project: 6.04 after 3,498",
            "1,000 回の更新で訓練損失 4.55、検証損失 5.10、H200 で 3.3 分"
            "（docs/findings/report-2.md、シード1個）。報告2のプロジェクト：3,498 回で 6.04",
        ),
    },
)
