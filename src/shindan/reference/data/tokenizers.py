"""Tokenizers, trained or loaded, and what identifies them: fingerprint, special and content ids."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from shindan.reference.data.errors import DataError
from shindan.reference.data.wordpiece import pieces

Ids = NDArray[np.int64]

BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORD_SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
BYTE_SPECIALS = ("<|endoftext|>", "<pad>")
ROLES = {
    "pad": ("[PAD]", "<pad>", "<PAD>", "<|pad|>"),
    "unk": ("[UNK]", "<unk>", "<UNK>"),
    "begin": ("[CLS]", "<s>", "<bos>", "<BOS>", "[DIST]", "<|begin_of_text|>", "<|endoftext|>"),
    "end": ("[SEP]", "</s>", "<eos>", "<EOS>", "<|end_of_text|>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>", "<MASK>"),
}
UNUSED = re.compile(r"\[unused\d+\]$")
"""BERT's reserved entries: in the vocabulary, in no text."""
LONGEST_WORD = 100
"""Letters; a longer word is [UNK] to WordPiece."""
BATCH = 1000
"""Texts encoded in one call: enough to keep the library's threads busy."""


@dataclass(frozen=True)
class Specials:
    """Special ids by role; None where the tokenizer has none. GPT-2's one token begins and ends."""

    pad: int | None = None
    unk: int | None = None
    begin: int | None = None
    end: int | None = None
    mask: int | None = None

    def __getitem__(self, role: str) -> int:
        """The id of a role that is needed; ``DataError`` where the tokenizer lacks it."""
        found: int | None = getattr(self, role)
        if found is None:
            raise DataError("no-special", role=role, names=" ".join(ROLES[role]))
        return found


def train_wordpiece(texts: Iterable[str], size: int, *, lower: bool = True) -> Tokenizer:
    """WordPiece with BERT's normaliser and specials (ids 0 to 4), at most ``size`` entries."""
    tokenizer = _bert(models.WordPiece(unk_token="[UNK]"), lower)
    words = Counter(
        word
        for text in texts
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(
            tokenizer.normalizer.normalize_str(text)
        )
        if len(word) <= LONGEST_WORD
    )
    entries = pieces(words, size, BERT_SPECIALS)
    tokenizer.model = models.WordPiece(entries, unk_token="[UNK]")
    tokenizer.add_special_tokens(list(BERT_SPECIALS))
    return tokenizer


def train_bpe(texts: Iterable[str], size: int) -> Tokenizer:
    """Byte-level BPE as GPT-2's, ``<|endoftext|>`` 0 and ``<pad>`` 1; no text is unknown to it."""
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(BYTE_SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train_words(texts: Iterable[str], top: int) -> Tokenizer:
    """Lower-cased words between white space: PAD, UNK, BOS, EOS (0 to 3), the ``top`` commonest.

    Equally common words are taken in the order of the text (SYSTEMS.md, section 4).
    """
    lower = normalizers.Lowercase()
    counts = Counter(word for text in texts for word in lower.normalize_str(text).split())
    for special in WORD_SPECIALS:
        counts.pop(special, None)
    words = [*WORD_SPECIALS, *(word for word, _ in counts.most_common(top))]
    model = models.WordLevel({word: id for id, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = lower
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(WORD_SPECIALS))
    return tokenizer


def load(path: str | Path) -> Tokenizer:
    """A ``tokenizer.json``, BERT's ``vocab.txt``, GPT-2's ``vocab.json`` + ``merges.txt``, or a
    folder that holds one of them (looked for in this order: json, GPT-2, BERT)."""
    path = Path(path).expanduser()
    if path.is_dir():
        for name in ("tokenizer.json", "vocab.json", "vocab.txt"):
            if (path / name).is_file():
                return load(path / name)
        raise DataError("no-tokenizer", source=path)
    if not path.is_file():
        raise DataError("no-tokenizer", source=path)
    vocab, merges = path.with_name("vocab.json"), path.with_name("merges.txt")
    if path in (vocab, merges) and vocab.is_file() and merges.is_file():
        model = models.BPE.from_file(str(vocab), str(merges))
        tokenizer = _byte_level(model)
        tokenizer.add_special_tokens(["<|endoftext|>"])
        return tokenizer
    if path.suffix == ".txt":
        return _bert_vocabulary(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise DataError("not-readable", source=path, kind="tokenizer", why=error) from error
    # Published files often keep the length and padding of their first use; rows are ours to cut.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 (hex) of all that decides ids: vocabulary, merges, normaliser, splitting, specials.

    Padding, truncation, templates around a text and decoding change no id of a text, so they do
    not count; nor does the order or the file format of the vocabulary.
    """
    stored = json.loads(tokenizer.to_str())
    model = {key: value for key, value in stored["model"].items() if key not in ("vocab", "merges")}
    merges = stored["model"].get("merges", ())
    identity = {
        "model": _without_defaults(model),
        "vocabulary": sorted(tokenizer.get_vocab(with_added_tokens=True).items()),
        "merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in merges],
        "normalizer": _without_defaults(stored["normalizer"]),
        "splitting": _without_defaults(stored["pre_tokenizer"]),
        "added": sorted(token["content"] for token in stored["added_tokens"]),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def describe(tokenizer: Tokenizer) -> str:
    """For messages, such as ``WordPiece of 30,522 ids (9f2c81d0)``."""
    kind = type(tokenizer.model).__name__
    return f"{kind} of {vocabulary_size(tokenizer):,} ids ({fingerprint(tokenizer)[:8]})"


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """Rows an embedding needs: the greatest id plus one (ids may have gaps)."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def specials(tokenizer: Tokenizer) -> Specials:
    """Special ids by role, found by their usual names."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    return Specials(
        **{
            role: next((vocabulary[name] for name in names if name in vocabulary), None)
            for role, names in ROLES.items()
        }
    )


def content_ids(tokenizer: Tokenizer) -> Ids:
    """Ids that stand for text: no special token, no ``[unused…]``. Sorted, shape (C,)."""
    roles = specials(tokenizer)
    spared = {getattr(roles, role) for role in ROLES}
    spared |= {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    return np.array(
        sorted(i for token, i in vocabulary.items() if i not in spared and not UNUSED.match(token)),
        dtype=np.int64,
    )


def word_starts(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Does this id begin a word? Shape (vocabulary,): no ``##`` (WordPiece), or ``Ġ``, ``▁`` first.

    Special tokens always do. In a vocabulary of whole words every id does.
    """
    starts = np.ones(vocabulary_size(tokenizer), dtype=np.bool_)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    spaced = any(token.startswith(("Ġ", "▁")) for token in vocabulary)
    for token, id in vocabulary.items():
        starts[id] = token.startswith(("Ġ", "▁")) if spaced else not token.startswith("##")
    starts[list(tokenizer.get_added_tokens_decoder())] = True
    return starts


def encode(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[Ids]:
    """Ids of each text, shape (tokens,), with no special token around it.

    A text that merely spells one ("[SEP]" in a page on BERT) is cut like any other text.
    """
    texts = iter(texts)
    before = tokenizer.encode_special_tokens
    while batch := list(islice(texts, BATCH)):
        tokenizer.encode_special_tokens = True
        try:
            encoded = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        finally:
            tokenizer.encode_special_tokens = before
        yield from (np.array(one.ids, dtype=np.int64) for one in encoded)


def _bert(model: Any, lower: bool) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _byte_level(model: Any) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _bert_vocabulary(path: Path) -> Tokenizer:
    """Lower-casing is not said in a ``vocab.txt``: it shows in entries without a capital."""
    entries = path.read_text(encoding="utf-8").split("\n")
    if "[UNK]" not in entries:
        why = "it has no line [UNK]"
        raise DataError("not-readable", source=path, kind="BERT vocabulary", why=why)
    lower = all(entry == entry.lower() for entry in entries if not entry.startswith("["))
    tokenizer = _bert(models.WordPiece.from_file(str(path), unk_token="[UNK]"), lower)
    known = [AddedToken(name, special=True) for name in BERT_SPECIALS if name in entries]
    tokenizer.add_special_tokens(known)
    return tokenizer


def _without_defaults(value: Any) -> Any:
    """Without nulls and falses, which versions of the library write or leave out."""
    if isinstance(value, dict):
        return {
            k: _without_defaults(v) for k, v in value.items() if v is not None and v is not False
        }
    if isinstance(value, list):
        return [_without_defaults(v) for v in value]
    return value
