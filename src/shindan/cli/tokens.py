"""How often each token occurs in a text, for the lines a loss is held against."""

import json
from pathlib import Path

import click
import numpy as np

from shindan.cli.training import spoken
from shindan.core.errors import ShindanError


def lines_of(data: Path, tokenizer: Path | None, lang: str | None) -> tuple[int, float]:
    """(vocabulary size, entropy of the token frequencies in nats) of a text.

    ``data`` is a text, cut by the ``tokenizer`` (a file as `shindan train` takes it), or a JSON
    file of counts: a list, or an object of counts by token. Raises ShindanError and UsageError.
    """
    from shindan.probes.rows.tokencounts import entropy

    if data.suffix == ".json":
        counts = _given(data)
    elif tokenizer is None:
        raise ShindanError("needs-tokenizer", path=data)
    else:
        counts = _counted(data, tokenizer, lang)
    if (counts > 0).sum() < 2:
        raise ShindanError("no-tokens", path=data)
    return len(counts), entropy(counts)


def _given(data: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    try:
        held = json.loads(data.read_text(encoding="utf-8"))
        values = list(held.values()) if isinstance(held, dict) else held
        counts = np.array([int(value) for value in values], dtype=np.int64)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise ShindanError("no-counts", path=data, error=error) from error
    if (counts < 0).any():
        raise ShindanError("no-counts", path=data, error=counts.min())
    return counts


def _counted(
    data: Path, tokenizer: Path, lang: str | None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    from shindan.reference.data import tokenizers
    from shindan.reference.refused import Refused

    try:
        own = tokenizers.load(tokenizer)
        counts = np.zeros(tokenizers.vocabulary_size(own), dtype=np.int64)
        with data.open(encoding="utf-8", errors="replace") as lines:
            for ids in tokenizers.encode(own, lines):
                counts += np.bincount(ids, minlength=len(counts))
    except Refused as error:
        raise click.UsageError(error.told(spoken(lang))) from error
    except OSError as error:
        raise ShindanError("log-not-readable", path=data, error=error.strerror) from error
    return counts
