"""Tokenizers: trained, loaded, told apart; their special and content ids."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from shindan.reference import corpus
from shindan.reference.data.errors import DataError
from shindan.reference.data.tokenizers import (
    Specials,
    content_ids,
    describe,
    encode,
    fingerprint,
    load,
    specials,
    train_bpe,
    train_wordpiece,
    train_words,
    vocabulary_size,
    word_starts,
)
from tests.reference.real import real

TEXTS = corpus.documents()[:20]


def test_wordpiece() -> None:
    tokenizer = train_wordpiece(TEXTS, 600)
    assert vocabulary_size(tokenizer) == 600
    assert specials(tokenizer) == Specials(pad=0, unk=1, begin=2, end=3, mask=4)
    assert content_ids(tokenizer).tolist() == list(range(5, 600))
    (ids,) = encode(tokenizer, ["The Statement"])
    (lower,) = encode(tokenizer, ["the statement"])
    assert ids.tolist() == lower.tolist()
    assert fingerprint(tokenizer) == fingerprint(train_wordpiece(TEXTS, 600))


def test_rare_letters_do_not_crowd_out_the_rest() -> None:
    kanji = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    tokenizer = train_wordpiece(["the cat, the cat " * 9, kanji], 60)
    assert vocabulary_size(tokenizer) <= 60
    assert tokenizer.encode("the cat", add_special_tokens=False).tokens == ["the", "cat"]
    assert tokenizer.encode(kanji[-1], add_special_tokens=False).tokens == ["[UNK]"]


def test_byte_level_bpe_knows_every_text() -> None:
    tokenizer = train_bpe(TEXTS, 400)
    assert specials(tokenizer) == Specials(pad=1, begin=0, end=0)
    text = "すべての人間は\tfree  and équal\n🙂"
    (ids,) = encode(tokenizer, [text])
    assert tokenizer.decode(ids.tolist()) == text
    assert fingerprint(tokenizer) == fingerprint(train_bpe(TEXTS, 400))


def test_words() -> None:
    tokenizer = train_words(["b B a <unk> <unk> <unk>", "c a b d"], 2)
    assert specials(tokenizer) == Specials(pad=0, unk=1, begin=2, end=3)
    (ids,) = encode(tokenizer, ["A  b c\u00a0<unk> B."])
    assert ids.tolist() == [5, 4, 1, 1, 1]


def test_special_tokens_spelt_in_a_text_are_text() -> None:
    tokenizer = train_wordpiece(TEXTS, 600)
    (ids,) = encode(tokenizer, ["a [SEP] b [MASK]"])
    assert not {2, 3, 4} & set(ids.tolist())
    assert tokenizer.encode("[MASK]", add_special_tokens=False).ids == [4]


def test_fingerprint_is_of_what_decides_ids(tmp_path: Path) -> None:
    tokenizer = train_wordpiece(TEXTS, 600)
    before = fingerprint(tokenizer)
    tokenizer.enable_padding(length=32)
    tokenizer.enable_truncation(8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = load(tmp_path)
    assert fingerprint(tokenizer) == fingerprint(again) == before
    assert again.padding is None
    assert again.truncation is None
    others = [
        train_wordpiece(TEXTS, 599),
        train_wordpiece(TEXTS, 600, lower=False),
        train_bpe(TEXTS, 600),
        train_words(TEXTS, 596),
    ]
    assert len({before, *map(fingerprint, others)}) == 5


def test_word_starts() -> None:
    pieces = train_wordpiece(TEXTS, 600)
    starts = word_starts(pieces)
    for token, id in pieces.get_vocab().items():
        assert starts[id] == (not token.startswith("##"))
    spaced = word_starts(train_bpe(TEXTS, 600))
    assert spaced[:2].all()
    assert 0.1 < spaced.mean() < 0.9
    assert word_starts(train_words(TEXTS, 50)).all()


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    for name, content in (("tokenizer.json", "{}"), ("vocab.txt", "the\nof\n")):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match="not a readable"):
            load(tmp_path / name)
    for path in (tmp_path / "other.json", tmp_path / "empty"):
        with pytest.raises(DataError, match=r"no tokenizer\.json"):
            load(path)
    with pytest.raises(DataError, match="has no mask token"):
        specials(train_words(["a b"], 2))["mask"]


@pytest.fixture(scope="module")
def bert() -> Tokenizer:
    return load(real("minilm_vocab") / "tokenizer.json")


def test_berts_vocabulary_in_both_forms(bert: Tokenizer) -> None:
    other = load(real("minilm_vocab") / "vocab.txt")
    assert fingerprint(bert) == fingerprint(other)
    assert describe(bert).startswith("WordPiece of 30,522 ids (")
    assert specials(other) == Specials(pad=0, unk=100, begin=101, end=102, mask=103)
    content = content_ids(bert)
    assert len(content) == 30_522 - 5 - 994
    assert np.all(np.diff(content) > 0)
    for one in (bert, other):
        (ids,) = encode(one, ["All human beings are born free"])
        assert ids.tolist() == [2035, 2529, 9552, 2024, 2141, 2489]
    # the published file pads and cuts everything to 128
    (long,) = encode(bert, ["word " * 300])
    assert len(long) == 300


def test_gpt2_vocabulary() -> None:
    gpt2 = load(real("gpt2_bpe"))
    assert specials(gpt2) == Specials(begin=50256, end=50256)
    (ids,) = encode(gpt2, ["Hello world"])
    assert ids.tolist() == [15496, 995]
