"""Masking: the rates, what is spared, what is drawn, and the same again from the same generator."""

import importlib
import sys

import jaxtyping
import numpy as np
import pytest
import torch

from shindan.reference import corpus
from shindan.reference.data.collate import IGNORE, padded
from shindan.reference.data.errors import DataError
from shindan.reference.data.masking import key_masking, masking
from shindan.reference.data.order import generator
from shindan.reference.data.rows import PackedRows, SingleRows
from shindan.reference.data.tokenizers import encode, train_bpe, train_wordpiece, word_starts

TEXTS = corpus.documents()
TOKENIZER = train_wordpiece(TEXTS, 600)
PAD, UNK, CLS, SEP, MASK = range(5)


@pytest.fixture(scope="module")
def ids_BL() -> torch.Tensor:
    rows = SingleRows(list(encode(TOKENIZER, TEXTS)), 64, CLS, SEP, whole=True)
    ids_BL, _ = padded([*rows], PAD)
    assert ids_BL.numel() > 100_000
    return ids_BL


@pytest.mark.parametrize("whole_words", [False, True])
def test_shares_and_what_is_spared(ids_BL: torch.Tensor, whole_words: bool) -> None:
    inputs_BL, labels_BL = masking(TOKENIZER, whole_words=whole_words)(ids_BL, generator(0, 1))
    chosen_BL = labels_BL != IGNORE
    content_BL = ids_BL > MASK
    assert not (chosen_BL & ~content_BL).any()
    assert torch.equal(inputs_BL[~chosen_BL], ids_BL[~chosen_BL])
    assert torch.equal(labels_BL[chosen_BL], ids_BL[chosen_BL])
    assert float(chosen_BL.sum() / content_BL.sum()) == pytest.approx(0.15, abs=0.005)
    asked, true = inputs_BL[chosen_BL], ids_BL[chosen_BL]
    assert float((asked == MASK).double().mean()) == pytest.approx(0.8, abs=0.015)
    assert float((asked == true).double().mean()) == pytest.approx(0.1, abs=0.012)
    drawn = asked[(asked != MASK) & (asked != true)]
    assert int(drawn.min()) > MASK
    counts = torch.bincount(drawn, minlength=600)[5:]
    expected = len(drawn) / 595
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi2 - 594) < 4 * np.sqrt(2 * 594)  # uniform over content


def test_reproducible_and_dynamic(ids_BL: torch.Tensor) -> None:
    mask = masking(TOKENIZER)
    first, again, other = (mask(ids_BL, generator(0, step))[0] for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    before = ids_BL.clone()
    one, two = generator(4), generator(4)
    mask(ids_BL, one)
    mask(torch.full_like(ids_BL, SEP), two)
    assert torch.equal(one.get_state(), two.get_state())
    assert torch.equal(ids_BL, before)


def test_words_are_chosen_whole(ids_BL: torch.Tensor) -> None:
    _, labels_BL = masking(TOKENIZER, whole_words=True)(ids_BL, generator(0))
    chosen_BL = labels_BL != IGNORE
    continues_BL = torch.from_numpy(~word_starts(TOKENIZER))[ids_BL]
    continues_BL[:, :2] = False  # a row may begin inside a word
    assert int(continues_BL.sum()) > 10_000
    assert _torn(chosen_BL, continues_BL) == 0
    assert _torn(masking(TOKENIZER)(ids_BL, generator(0))[1] != IGNORE, continues_BL) > 1000


def _torn(chosen_BL: torch.Tensor, continues_BL: torch.Tensor) -> int:
    """How many pieces differ from the piece before in the same word."""
    return int(((chosen_BL[:, 1:] != chosen_BL[:, :-1]) & continues_BL[:, 1:]).sum())


def test_unknown_words_are_not_asked() -> None:
    mask = masking(TOKENIZER, rate=1.0)
    _, labels = mask(torch.tensor([[CLS, UNK, 9, SEP, PAD]]), generator(0))
    assert labels.tolist() == [[IGNORE, IGNORE, 9, IGNORE, IGNORE]]


def test_no_mask_token() -> None:
    with pytest.raises(DataError, match="no mask token"):
        masking(train_bpe(TEXTS[:3], 300))


def test_shapes_are_what_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"shindan.reference.data.{name}" for name in ("collate", "masking")]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    with jaxtyping.install_import_hook(names, "beartype.beartype"):
        collate, checked = (importlib.import_module(name) for name in names)
    ids_BL, mask_BL = collate.padded([np.arange(5), np.arange(3)], 0)
    collate.next_tokens(ids_BL, mask_BL.long(), pad=0)
    collate.packed([*PackedRows([np.arange(5), np.arange(30)], 8, 0)])
    for whole_words in (False, True):
        mask = checked.masking(TOKENIZER, whole_words=whole_words)
        mask(ids_BL, generator(0))
        with pytest.raises(jaxtyping.TypeCheckError):
            mask(ids_BL.float(), generator(0))
    with pytest.raises(jaxtyping.TypeCheckError):
        collate.next_tokens(ids_BL, mask_BL.long()[:, 1:])


def test_log_keys() -> None:
    mask = key_masking(4, 12, mask=3, rate=0.65)
    keys = torch.randint(4, 12, (200, 50), generator=generator(1))
    keys[:, 0], keys[:, 40:] = 2, 0
    inputs, labels = mask(keys, generator(2))
    chosen = labels != IGNORE
    assert not chosen[:, 0].any()
    assert not chosen[:, 40:].any()
    assert float(chosen[:, 1:40].double().mean()) == pytest.approx(0.65, abs=0.03)
    assert set(inputs[chosen].tolist()) == set(range(3, 12))
