"""What the recipes on text share: a tokenizer, token files, batches with a number."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field
from tokenizers import Tokenizer

from shindan.reference.data import tokenizers
from shindan.reference.data.collate import packed, padded, starts_of
from shindan.reference.data.masking import Masking
from shindan.reference.data.order import Rows, Shuffled, generator
from shindan.reference.data.rows import Documents, PackedRow, split
from shindan.reference.data.text import Unit, documents
from shindan.reference.data.tokenizers import Ids
from shindan.reference.data.tokens import TokenFile, write_tokens
from shindan.reference.train.config import Count, Settings
from shindan.reference.train.errors import TrainError
from shindan.reference.train.objectives import with_places
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import Batch

Config = TypeVar("Config")

TOKENIZER = "tokenizer.json"
LEARNT_FROM = 200_000
"""Documents that a tokenizer is trained on, at most: more change few of its entries."""
SPLIT_SEED = 0
"""Of the validation set: the same for every seed of training, or seeds could not be compared."""


class TextSettings(Settings):
    """Where text comes from and how it is cut."""

    validation: str | None = None
    """A source of its own to evaluate on; else a share of the documents of ``data`` is kept out."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    unit: Unit = "auto"
    """What one document is."""
    column: str = "text"
    """Of records."""
    split: str = "train"
    """Of a data set of the hub."""
    distinct: bool = False
    """Take a text that stands there several times once."""
    tokenizer: Path | None = None
    """A file or folder of a tokenizer; None trains one on ``data``."""
    vocabulary: Count = 1000
    """Entries of a tokenizer that is trained."""
    length: Annotated[int, Field(ge=8)] = 64
    """Tokens of a row."""


def source(settings: TextSettings, name: str) -> Iterator[str]:
    """The documents of ``name``, read as the settings say."""
    texts = documents(name, unit=settings.unit, column=settings.column, split=settings.split)
    return distinct(texts) if settings.distinct else texts


def distinct(texts: Iterable[str]) -> Iterator[str]:
    """Each text where it first stands; what is held of one is 16 bytes."""
    seen: set[bytes] = set()
    for text in texts:
        mark = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if mark not in seen:
            seen.add(mark)
            yield text


def tokenizer_of(
    settings: TextSettings,
    folder: Path,
    learn: Callable[[Iterator[str], int], Tokenizer],
    texts: Callable[[], Iterator[str]],
) -> Tokenizer:
    """The run's tokenizer: the one it kept, else the one given, else one learnt from ``texts``."""
    kept = folder / TOKENIZER
    if kept.exists():
        return tokenizers.load(kept)
    if settings.tokenizer is not None:
        tokenizer = tokenizers.load(settings.tokenizer)
    else:
        tokenizer = learn(islice(texts(), LEARNT_FROM), settings.vocabulary)
    tokenizer.save(str(kept))
    return tokenizer


def tokens_of(path: Path, tokenizer: Tokenizer, texts: Callable[[], Iterator[str]]) -> TokenFile:
    """The documents as a token file, made once."""
    return TokenFile(path, tokenizer) if path.exists() else write_tokens(path, texts(), tokenizer)


def training_and_validation(
    settings: TextSettings, folder: Path, tokenizer: Tokenizer
) -> tuple[Documents, Documents]:
    """Two sets of documents that share none."""
    data, validation = settings.data, settings.validation
    train = tokens_of(folder / "train.tokens", tokenizer, lambda: source(settings, data))
    if validation is None:
        return split(train, settings.validation_share, SPLIT_SEED)
    path = folder / "validation.tokens"
    return train, tokens_of(path, tokenizer, lambda: source(settings, validation))


def sized(config: Config, tokenizer: Tokenizer, multiple: int = 1) -> Config:
    """The model's configuration with the tokenizer's vocabulary, rounded up to a multiple."""
    entries = -(-tokenizers.vocabulary_size(tokenizer) // multiple) * multiple
    sizes: dict[str, Any] = {"vocab_size": entries}
    return replace(config, **sizes)  # type: ignore[type-var]


def fits(length: int, most: int) -> None:
    """Refuse rows longer than the model has positions."""
    if length > most:
        raise TrainError("rows-too-long", length=length, most=most)


def kept_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that a run left in its folder."""
    return tokenizers.load(folder / TOKENIZER)


def in_turn(ranks: Ranks, make: Callable[[], Any]) -> Any:
    """The first rank makes the files, the others then read them."""
    made = make() if ranks.first else None
    ranks.gathered(None)  # wait for it
    return made if ranks.first else make()


def masked_batch(
    rows: list[Ids] | list[PackedRow],
    masking: Masking,
    pad: int,
    *numbers: int,
    length: int | None = None,
) -> Batch:
    """Padded or packed rows with what is asked of them, chance being a function of ``numbers``.

    ``length`` is given for a compiled model, which is then shown few shapes.
    """
    together: Batch = {}
    if isinstance(rows[0], PackedRow):
        width = length or max(len(row.ids) for row in rows)
        ids, documents = packed(rows, pad, width)
        mask = documents < width
        together = {"documents": documents, "starts": starts_of(documents)}
    else:
        ids, mask = padded(rows, pad, length)
    inputs, labels = masking(ids, generator(*numbers))
    batch = {"ids": inputs, "mask": mask, "labels": labels, **together}
    return with_places(batch, multiple=256 if length else 1)


def in_batches(rows: Rows[Any], size: int) -> Iterator[list[Any]]:
    """The rows in their order, ``size`` at a time."""
    for first in range(0, len(rows), size):
        yield [rows[i] for i in range(first, min(first + size, len(rows)))]


def numbered(rows: Rows[Any], settings: Settings) -> Callable[[int], list[Any]]:
    """The rows of micro-batch ``n``, in a new order each epoch."""
    shuffled, size = Shuffled(rows, settings.seed), settings.batch_size
    return lambda n: [shuffled[i] for i in range(n * size, (n + 1) * size)]
